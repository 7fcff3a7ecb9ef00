import Settings
import Testing

@testable import Training

/// Every key of verl on the GRPO path with verl's default, which must all be known here.
struct VerlKeysTests {
    private static let defaults = """
        data:
          tokenizer: null
          use_shm: False
          val_files: test.jsonl
          train_max_samples: -1
          val_max_samples: -1
          prompt_key: prompt
          reward_fn_key: data_source
          max_prompt_length: 512
          max_response_length: 512
          train_batch_size: 1024
          val_batch_size: null
          tool_config_path: null
          return_raw_input_ids: False
          return_raw_chat: True
          return_full_prompt: False
          shuffle: True
          seed: null
          dataloader_num_workers: 8
          image_patch_size: 14
          validation_shuffle: False
          filter_overlong_prompts: False
          filter_overlong_prompts_workers: 1
          truncation: error
          image_key: images
          video_key: videos
          trust_remote_code: False
          custom_cls: {path: null, name: null}
          return_multi_modal_inputs: True
          sampler: {class_path: null, class_name: null}
          datagen: {path: null, name: null}
          apply_chat_template_kwargs: {}
        actor_rollout_ref:
          hybrid_engine: true
          nccl_timeout: 600
          model:
            path: ~/models/deepseek-llm-7b-chat
            tokenizer_path: null
            custom_chat_template: null
            use_shm: false
            external_lib: null
            override_config: {}
            enable_gradient_checkpointing: true
            enable_activation_offload: false
            use_remove_padding: true
            lora_rank: 0
            lora_alpha: 16
            target_modules: all-linear
            exclude_modules: null
            lora_adapter_path: null
            use_liger: false
            use_fused_kernels: false
            fused_kernel_options: {impl_backend: torch}
            tiled_mlp: {enabled: false, num_shards: 4}
            trust_remote_code: false
            target_parameters: null
            lora:
              type: lora
              merge: false
              rank: 0
              alpha: 32
              dropout: 0.0
              dropout_position: pre
              lora_A_init_method: xavier
              lora_B_init_method: zero
              exclude_modules: []
              a2a_experimental: false
              dtype: null
              adapter_path: null
              freeze_vision_model: true
              freeze_vision_projection: true
              freeze_language_model: true
          actor:
            strategy: fsdp
            ppo_mini_batch_size: 256
            ppo_micro_batch_size: null
            ppo_micro_batch_size_per_gpu: null
            use_dynamic_bsz: true
            ppo_max_token_len_per_gpu: 16384
            clip_ratio: 0.2
            clip_ratio_low: 0.2
            clip_ratio_high: 0.2
            clip_ratio_c: 3.0
            tau_pos: 1.0
            tau_neg: 1.05
            freeze_vision_tower: false
            policy_loss:
              loss_mode: vanilla
              clip_cov_ratio: 0.0002
              clip_cov_lb: 1.0
              clip_cov_ub: 5.0
              kl_cov_ratio: 0.0002
              ppo_kl_coef: 0.1
            loss_agg_mode: token-mean
            loss_scale_factor: null
            entropy_coeff: 0
            calculate_entropy: false
            use_kl_loss: false
            kl_loss_coef: 0.001
            kl_loss_type: low_var_kl
            use_torch_compile: true
            ppo_epochs: 1
            shuffle: false
            data_loader_seed: 42
            grad_clip: 1.0
            ulysses_sequence_parallel_size: 1
            entropy_from_logits_with_chunking: false
            entropy_checkpointing: false
            calculate_sum_pi_squared: false
            sum_pi_squared_checkpointing: false
            router_replay: {mode: disabled}
            optim:
              optimizer: AdamW
              optimizer_impl: torch.optim
              lr: 1.0e-06
              lr_warmup_steps_ratio: 0.0
              total_training_steps: -1
              weight_decay: 0.01
              lr_warmup_steps: -1
              betas: [0.9, 0.999]
              clip_grad: 1.0
              min_lr_ratio: 0.0
              num_cycles: 0.5
              lr_scheduler_type: constant
              zero_indexed_step: true
              warmup_style: null
              override_optimizer_config: null
            fsdp_config: {param_offload: false, fsdp_size: -1, seed: 42}
            checkpoint:
              save_contents: [model, optimizer, extra]
              load_contents: ${.save_contents}
              async_save: false
              save_lora_only: false
          ref:
            strategy: fsdp
            fsdp_config: {param_offload: false}
            log_prob_micro_batch_size: null
            log_prob_micro_batch_size_per_gpu: null
            log_prob_use_dynamic_bsz: ${actor_rollout_ref.actor.use_dynamic_bsz}
            log_prob_max_token_len_per_gpu: >-
              ${oc.select:actor_rollout_ref.actor.ppo_max_token_len_per_gpu,16384}
          rollout:
            name: vllm
            mode: async
            temperature: 1.0
            top_k: -1
            top_p: 1
            prompt_length: ${oc.select:data.max_prompt_length,512}
            response_length: ${oc.select:data.max_response_length,512}
            dtype: bfloat16
            gpu_memory_utilization: 0.5
            ignore_eos: false
            enforce_eager: false
            cudagraph_capture_sizes: null
            free_cache_engine: true
            tensor_model_parallel_size: 2
            data_parallel_size: 1
            expert_parallel_size: 1
            pipeline_model_parallel_size: 1
            max_num_batched_tokens: 8192
            max_model_len: null
            max_num_seqs: 256
            enable_chunked_prefill: true
            enable_prefix_caching: true
            logprobs_mode: processed_logprobs
            load_format: dummy
            log_prob_micro_batch_size: null
            log_prob_micro_batch_size_per_gpu: null
            log_prob_use_dynamic_bsz: true
            log_prob_max_token_len_per_gpu: 16384
            disable_log_stats: true
            do_sample: true
            n: 1
            over_sample_rate: 0
            multi_stage_wake_up: false
            engine_kwargs: {vllm: {}, sglang: {}}
            val_kwargs: {top_k: -1, top_p: 1.0, temperature: 0, n: 1, do_sample: false}
            multi_turn: {enable: false, max_assistant_turns: null, format: hermes}
            calculate_log_probs: false
            agent: {num_workers: 8, default_agent_loop: single_turn_agent}
            checkpoint_engine: {backend: naive, update_weights_bucket_megabytes: 2048}
            update_weights_bucket_megabytes: 512
            trace: {backend: null, token2text: false}
            skip_rollout: false
            skip_dump_dir: /tmp/rollout_dump
            skip_tokenizer_init: true
            enable_rollout_routing_replay: false
            prometheus: {enable: false}
            quantization: null
            layered_summon: false
        algorithm:
          adv_estimator: grpo
          gamma: 1.0
          lam: 1.0
          norm_adv_by_std_in_grpo: true
          use_kl_in_reward: false
          kl_penalty: kl
          kl_ctrl: {type: fixed, kl_coef: 0.001, horizon: 10000, target_kl: 0.1}
          use_pf_ppo: false
          pf_ppo: {reweight_method: pow, weight_pow: 2.0}
          rollout_correction:
            rollout_is: null
            rollout_is_threshold: 2.0
            rollout_rs: null
            rollout_rs_threshold: null
            bypass_mode: false
            loss_type: ppo_clip
            rollout_is_batch_normalize: false
        critic:
          enable: null
          optim: {lr: 1.0e-05}
          cliprange_value: 0.5
        custom_reward_function: {path: null, name: compute_score, reward_kwargs: {}}
        reward_model:
          enable: false
          model: {path: x}
          reward_manager: naive
          launch_reward_fn_async: false
          sandbox_fusion: {url: null, max_concurrent: 64, memory_limit_mb: 1024}
        trainer:
          balance_batch: true
          total_epochs: 30
          total_training_steps: null
          project_name: verl_examples
          experiment_name: gsm8k
          logger: [console, wandb]
          log_val_generations: 0
          rollout_data_dir: null
          validation_data_dir: null
          nnodes: 1
          n_gpus_per_node: 8
          save_freq: -1
          esi_redundant_time: 0
          resume_mode: auto
          resume_from_path: null
          val_before_train: true
          val_only: false
          test_freq: -1
          critic_warmup: 0
          default_hdfs_dir: null
          del_local_ckpt_after_load: false
          default_local_dir: checkpoints/${trainer.project_name}/${trainer.experiment_name}
          max_actor_ckpt_to_keep: null
          max_critic_ckpt_to_keep: null
          ray_wait_register_center_timeout: 300
          device: cpu
          use_legacy_worker_impl: auto
        ray_kwargs: {ray_init: {num_cpus: null}}
        global_profiler: {tool: null}
        transfer_queue: {enable: false}
        """

    @Test("every key of verl is known, with verl's default")
    func allKnown() throws {
        let file = TemporaryFile("verl.yaml", Self.defaults)
        let settings = try TrainSettings.load(
            arguments: [file.path, "data.train_files=train.jsonl"], environment: [:])
        #expect(settings.trainer.folder == "checkpoints/verl_examples/gsm8k")
        #expect(settings.data.trainBatchSize == 1024)
        #expect(settings.actor.miniBatchSize == 256)
        #expect(settings.algorithm.oldPolicy.source == .recomputed)
    }
}
