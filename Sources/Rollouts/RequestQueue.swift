/// Requests that wait, in the order of their arrival.
struct RequestQueue: Sendable {
    /// Places before `head` are vacant.
    private var places: [ActiveRequest?] = []
    private var head = 0

    var count: Int { places.count - head }
    var isEmpty: Bool { count == 0 }
    var first: ActiveRequest? { isEmpty ? nil : places[head] }
    var all: some Sequence<ActiveRequest> { places[head...].lazy.compactMap { $0 } }

    mutating func append(_ request: ActiveRequest) {
        places.append(request)
    }

    /// Puts a request before all others.
    mutating func prepend(_ request: ActiveRequest) {
        if head == 0 {
            places.insert(request, at: 0)
        } else {
            head -= 1
            places[head] = request
        }
    }

    mutating func popFirst() -> ActiveRequest? {
        guard !isEmpty else { return nil }
        let request = places[head]
        places[head] = nil
        head += 1
        if head == places.count { removeAll() }
        return request
    }

    /// Removes the request with this id.
    ///
    /// - Returns: whether there was one.
    mutating func remove(id: UInt64) -> Bool {
        guard let index = places.firstIndex(where: { $0?.request.id == id }) else { return false }
        places.remove(at: index)
        return true
    }

    mutating func removeAll() {
        places.removeAll(keepingCapacity: true)
        head = 0
    }
}
