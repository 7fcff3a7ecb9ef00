/// The program that a user's Python reward runs in.
enum PythonDriver {
    /// Reads one JSON request a line, answers one JSON line each; its arguments are the file, the
    /// name of the function and further keyword arguments as JSON.
    ///
    /// The user's code may print: descriptors 0 and 1 are taken away from it before it is loaded. It
    /// may be `async`: one event loop lives as long as the process.
    static let source = #"""
        import asyncio, importlib.util, inspect, json, os, signal, sys, traceback

        signal.signal(signal.SIGINT, signal.SIG_IGN)
        requests = os.fdopen(os.dup(0), "rb")
        answers = os.fdopen(os.dup(1), "wb")
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(2, 1)
        path, name, arguments = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])


        def answer(value):
            answers.write(json.dumps(value).encode() + b"\n")
            answers.flush()


        def describe(error):
            lines = [f.lineno for f in traceback.extract_tb(error.__traceback__) if f.filename == path]
            if isinstance(error, SyntaxError):
                lines = [error.lineno]
            where = f" (line {lines[-1]} of {path})" if lines else ""
            return f"{type(error).__name__}: {error}{where}"


        def number(value):
            if isinstance(value, (str, bytes)):
                return None
            try:
                return float(value)
            except (TypeError, ValueError):
                return None


        def score_of(result):
            if not isinstance(result, dict):
                result = {"score": result}
            score = number(result.get("score"))
            if score is None:
                raise TypeError(
                    f'{name} must return a number, or a dict with a number as "score", not {result.get("score", result)!r}'
                )
            numbers = {str(key): number(value) for key, value in result.items()}
            return {key: value for key, value in numbers.items() if value is not None}


        def load():
            sys.path.append(os.path.dirname(os.path.abspath(path)))
            spec = importlib.util.spec_from_file_location("custom_module", path)
            module = importlib.util.module_from_spec(spec)
            sys.modules["custom_module"] = module
            spec.loader.exec_module(module)
            function = getattr(module, name, None)
            if callable(function):
                return function
            found = [key for key, value in vars(module).items() if inspect.isfunction(value)]
            raise LookupError(f'there is no function "{name}" in it; there is {", ".join(found) or "none"}')


        try:
            compute_score = load()
        except BaseException as error:
            answer({"error": str(error.args[0]) if type(error) is LookupError else describe(error)})
            sys.exit(1)
        answer({"ready": True})
        loop = asyncio.new_event_loop()
        asyncio.set_event_loop(loop)
        for line in requests:
            try:
                result = compute_score(**{**json.loads(line), **arguments})
                if inspect.isawaitable(result):
                    result = loop.run_until_complete(result)
                answer(score_of(result))
            except BaseException as error:
                answer({"error": describe(error)})
        """#
}
