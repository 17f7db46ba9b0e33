"""`nox -l` lists the sessions; arguments after `--` go through."""

import nox


nox.options.default_venv_backend = "venv"
PROJECT = nox.project.load_toml("pyproject.toml")
# Compiling takes most of the time, and one core. Not a core each: 8 devices that wait for each
# other on a busy machine may give up. By file, as the tests of one share what they compile.
TWO_AT_ONCE = ("-n", "2", "--dist", "loadfile")


def install(session: nox.Session, group: str) -> None:
    session.install("-e", ".", *nox.project.dependency_groups(PROJECT, group))


@nox.session
def tests(session: nox.Session) -> None:
    """The tests, on 8 simulated devices."""
    install(session, "test")
    session.run("pytest", *TWO_AT_ONCE, *session.posargs)


@nox.session(default=False)
def slow(session: nox.Session) -> None:
    """The tests that `tests` leaves out."""
    install(session, "test")
    session.run("pytest", "-m", "slow", *TWO_AT_ONCE, *session.posargs)


@nox.session(default=False)
def lowest(session: nox.Session) -> None:
    """The tests on the lowest versions that pyproject.toml allows."""
    install(session, "test")
    session.install(*(d.replace(">=", "==") for d in PROJECT["project"]["dependencies"]))
    session.run("pytest", *session.posargs)


@nox.session(default=False)
def x64(session: nox.Session) -> None:
    """The laws and the oracles with 64-bit types switched on: nothing may depend on them.
    (Tests of messages name the default float type, and stay out.)"""
    install(session, "test")
    numbers = "laws sum average extrema std moments last_value accuracy devices loop reduction"
    files = [f"tests/test_{name}.py" for name in numbers.split()]
    session.run("pytest", *(session.posargs or files), env={"JAX_ENABLE_X64": "1"})


@nox.session(default=False)
def bench(session: nox.Session) -> None:
    """The benchmarks beside clu and metrax; names after `--` choose: `nox -s bench -- sums`."""
    install(session, "bench")
    session.run("python", "-m", "tests.benchmarks", *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    """ruff."""
    session.install(*nox.project.dependency_groups(PROJECT, "lint"))
    session.run("ruff", "check", ".", *session.posargs)


@nox.session(default=False)
def demo(session: nox.Session) -> None:
    """Trains on handwritten digits, and evaluates on 8 devices."""
    install(session, "demo")
    session.run("python", "docs/examples/train_digits.py", *session.posargs)


@nox.session(default=False)
def types(session: nox.Session) -> None:
    """pyright on the package and the tests."""
    install(session, "types")
    session.run("pyright", *session.posargs)


@nox.session
def docs(session: nox.Session) -> None:
    """The documentation, strictly."""
    install(session, "docs")
    session.run("mkdocs", "build", "--strict", "-f", "docs/mkdocs.yml", *session.posargs)
