// Streams, events and graphs. A stream does its work as late as a device may: when the host waits
// for it. So a host that reads, or writes over, what is still under way is found.
#include "machine.h"

#include <chrono>

namespace emulator {

namespace {
double now() {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}
}  // namespace

// MARK: Work

cd_result Machine::enqueue(cd_stream stream, Work work) {
    if (stream == nullptr) {
        cd_result error = drain_for_default();
        if (error == 0) error = work(*this);
        if (error != 0) sticky = error;
        return error;
    }
    if (!streams.has(stream)) return blame(INVALID_HANDLE, "work is given to a stream that is none");
    if (stream->capture != nullptr) {
        stream->capture->work.push_back(std::move(work));
        return 0;
    }
    stream->queue.push_back(std::move(work));
    stream->given++;
    return runs_at_once ? drain(stream) : 0;
}

cd_result Machine::drain(cd_stream stream, uint64_t until) {
    while (!stream->queue.empty() && stream->done < until) {
        Work work = std::move(stream->queue.front());
        stream->queue.pop_front();
        cd_result error = work(*this);
        stream->done++;
        if (error != 0) sticky = error;
        if (sticky != 0) return sticky;
    }
    return 0;
}

cd_result Machine::drain_all() {
    for (auto &stream : streams)
        if (cd_result error = drain(stream.first)) return error;
    return 0;
}

cd_result Machine::drain_for_default() {
    for (auto &stream : streams)
        if (stream.first->waits_for_default)
            if (cd_result error = drain(stream.first)) return error;
    return 0;
}

// MARK: Streams

cd_result Machine::stream_create(cd_stream *stream, unsigned flags) {
    if (flags > CD_STREAM_NON_BLOCKING) return blame(INVALID_VALUE, "cuStreamCreate knows no such flags");
    *stream = streams.make();
    (*stream)->waits_for_default = flags != CD_STREAM_NON_BLOCKING;
    return 0;
}

cd_result Machine::stream_destroy(cd_stream stream) {
    if (!streams.has(stream)) return blame(INVALID_HANDLE, "a stream is destroyed that is none");
    cd_result error = drain(stream);
    streams.destroy(stream);
    return error;
}

cd_result Machine::stream_synchronize(cd_stream stream) {
    if (stream == nullptr) return drain_for_default();
    if (!streams.has(stream)) return blame(INVALID_HANDLE, "a stream is waited for that is none");
    if (stream->capture != nullptr)
        return blame(STREAM_CAPTURE_UNSUPPORTED, "a stream is waited for that captures a graph");
    return drain(stream);
}

cd_result Machine::stream_wait_event(cd_stream stream, cd_event event, unsigned) {
    if (!events.has(event)) return blame(INVALID_HANDLE, "a stream waits for an event that is none");
    cd_stream other = event->stream;
    uint64_t after = event->after;
    return enqueue(stream, [=](Machine &machine) -> cd_result {
        return machine.streams.has(other) ? machine.drain(other, after) : 0;
    });
}

// MARK: Events

cd_result Machine::event_create(cd_event *event, unsigned flags) {
    *event = events.make();
    (*event)->has_time = (flags & CD_EVENT_DISABLE_TIMING) == 0;
    return 0;
}

cd_result Machine::event_destroy(cd_event event) {
    return events.destroy(event) ? 0 : blame(INVALID_HANDLE, "an event is destroyed that is none");
}

cd_result Machine::event_record(cd_event event, cd_stream stream) {
    if (!events.has(event)) return blame(INVALID_HANDLE, "an event is recorded that is none");
    cd_result error = enqueue(stream, [=](Machine &machine) -> cd_result {
        if (machine.events.has(event)) event->seconds = now();
        return 0;
    });
    if (stream == nullptr || stream->capture == nullptr) {
        event->stream = stream;
        event->after = stream == nullptr ? 0 : stream->given;
    }
    return error;
}

// Each question lets the stream do a piece of its work.
cd_result Machine::event_query(cd_event event) {
    if (!events.has(event)) return blame(INVALID_HANDLE, "an event is asked for that is none");
    cd_stream stream = event->stream;
    if (!streams.has(stream) || stream->done >= event->after) return 0;
    cd_result error = drain(stream, stream->done + 1);
    return error != 0 ? error : stream->done >= event->after ? 0 : NOT_READY;
}

cd_result Machine::event_synchronize(cd_event event) {
    if (!events.has(event)) return blame(INVALID_HANDLE, "an event is waited for that is none");
    return streams.has(event->stream) ? drain(event->stream, event->after) : 0;
}

cd_result Machine::event_elapsed_time(float *milliseconds, cd_event start, cd_event end) {
    if (!events.has(start) || !events.has(end) || !start->has_time || !end->has_time)
        return blame(INVALID_HANDLE, "time is asked between events that have none");
    if (start->seconds == 0 || end->seconds == 0) return NOT_READY;
    *milliseconds = (float)((end->seconds - start->seconds) * 1e3);
    return 0;
}

// MARK: Graphs

cd_result Machine::stream_begin_capture(cd_stream stream, int mode) {
    if (!streams.has(stream)) return blame(INVALID_HANDLE, "a stream captures that is none");
    if (mode < 0 || mode > CD_CAPTURE_RELAXED) return blame(INVALID_VALUE, "no such mode of capture");
    if (stream->capture != nullptr)
        return blame(STREAM_CAPTURE_UNSUPPORTED, "a stream begins to capture twice");
    stream->capture = graphs.make();
    return 0;
}

cd_result Machine::stream_end_capture(cd_stream stream, cd_graph *graph) {
    if (!streams.has(stream) || stream->capture == nullptr)
        return blame(INVALID_VALUE, "a stream ends to capture that does not capture");
    *graph = stream->capture;
    stream->capture = nullptr;
    return 0;
}

cd_result Machine::graph_instantiate(cd_graph_exec *exec, cd_graph graph, unsigned long long) {
    if (!graphs.has(graph)) return blame(INVALID_HANDLE, "a graph is instantiated that is none");
    *exec = execs.make();
    (*exec)->work = graph->work;
    (*exec)->launches = graph->launches;
    return 0;
}

cd_result Machine::graph_launch(cd_graph_exec exec, cd_stream stream) {
    if (!execs.has(exec)) return blame(INVALID_HANDLE, "a graph is launched that is none");
    graph_launches++;
    for (const LaunchRecord &record : exec->launches) launches.push_back(record);
    for (const Work &work : exec->work)
        if (cd_result error = enqueue(stream, work)) return error;
    return 0;
}

cd_result Machine::graph_exec_destroy(cd_graph_exec exec) {
    return execs.destroy(exec) ? 0 : blame(INVALID_HANDLE, "a graph is destroyed that is none");
}

cd_result Machine::graph_destroy(cd_graph graph) {
    return graphs.destroy(graph) ? 0 : blame(INVALID_HANDLE, "a graph is destroyed that is none");
}

}  // namespace emulator
