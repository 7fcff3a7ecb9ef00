/// The notation of files and arguments, as the reference's first section in Markdown.
let howConfigurationsAreWritten = #"""

    ## How a configuration is written

    ```sh
    lorikeet train base.yaml mine.yaml data.train_batch_size=64 'data.train_files=[a.jsonl,b.jsonl]'
    ```

    ```yaml
    # mine.yaml
    defaults: [common, _self_]         # common.yaml beside this file is read first
    vars:
      root: ${oc.env:DATA,/data}       # a name of your own, for references
    data:
      train_files: ${vars.root}/train.jsonl
      val_files: [$HOME/one.jsonl, ~/two.jsonl]
    actor_rollout_ref.model.path: ???  # must be given by a later file or argument
    ```

    - Files (YAML or JSON) are merged in the order given, key by key; `key=value` stands above all
      files, wherever it is written. A list is replaced as a whole.
    - Files are nested, or have dotted names at the top level.
    - `defaults:` includes files as Hydra does (`name`, `group: name`, `group@a.b: name`,
      `optional`); `_self_` is the place of the file's own keys, the last unless named. verl's own
      `ppo_trainer` and `sft_trainer` are known and need no file, and whole YAML files of verl load
      as they stand.
    - `${a.b}` is another key's value, `${.name}` one beside it, `${oc.select:a.b,default}` one that
      may be missing, `${oc.env:NAME,default}` a variable of the environment. In paths `$NAME`,
      `${NAME}` and a leading `~` are replaced as well; `\$` is a dollar sign. Quote them, and
      brackets, for your shell.
    - Arguments: `key=value` and `++key=value` set, `+key=value` too; `~key` takes a key of a file
      away. `key=[a,b]` is a list, `key={name: value}` a map, which adds to the group's other names.
      Texts with commas or spaces around them need quotes of their own: `key="'a, b'"`.
    - `null`, in an argument also `key=` with nothing after it, means "not set" where the type says
      "or null"; `'null'` and `'3'` in quotes are texts. Truth values may be written as Python's.
    - A run's `config.yaml`, and what `lorikeet config` prints, are files like any other: give one
      with the keys that shall differ. Keys that follow another key are only in it when they were
      given.

    """#

/// Where a run without any setting differs from verl's, as a section in Markdown.
let otherDefaultsThanVerls = """

    ## Other defaults than verl's

    | key | here | verl |
    | --- | --- | --- |
    | `trainer.save_freq`, `trainer.test_freq` | `-1`: once, at the end | `-1`: never |
    | `algorithm.rollout_correction.bypass_mode` | `null`: whichever is exact and cheaper | `false` |
    | `...use_dynamic_bsz` | true unless a number of samples is set | `false`, and a number is needed |
    | `actor_rollout_ref.actor.ppo_mini_batch_size` | at most `data.train_batch_size` | `256` |
    | `critic.model.lora_rank` | the actor's, and its alpha | `0`: a whole model |
    | `critic.model.path` | the actor's | a model of its own |

    """
