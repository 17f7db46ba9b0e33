"""`nox -l` lists the sessions; arguments after `--` are passed on."""

from pathlib import Path
from typing import Any

import nox


nox.options.default_venv_backend = "venv"
PROJECT = nox.project.load_toml("pyproject.toml")


def install(session: nox.Session, group: str) -> None:
    session.install("-e", ".", *nox.project.dependency_groups(PROJECT, group))


def pytest(session: nox.Session, *args: str, **kwargs: Any) -> None:
    """Runs two test files at a time: tests mostly compile, on one core, and the tests of a file
    share compiled programs. No more than two, even on many cores: simulated devices that wait for
    each other on a busy machine may time out. Programs that were compiled before, in this run or an
    earlier one, are read from a cache folder. Its path is absolute, since the tests of the
    documentation run in folders of their own."""
    compiled = Path(session.create_tmp()).resolve().parents[1] / "compiled"
    cache = {
        "JAX_COMPILATION_CACHE_DIR": str(compiled),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "0",
    }
    env = cache | kwargs.pop("env", {})
    session.run("pytest", "-n", "2", "--dist", "loadfile", *args, env=env, **kwargs)


@nox.session
def tests(session: nox.Session) -> None:
    """The quick tests, on 8 simulated devices; or those named by the arguments."""
    install(session, "test")
    pytest(session, *session.posargs)


@nox.session(default=False)
def long(session: nox.Session) -> None:
    """The tests that take longer, which `.ci/run` runs after `tests`: laws and checks of all
    metrics."""
    install(session, "test")
    pytest(session, "-m", "long and not slow", "--dist", "worksteal", *session.posargs)


@nox.session(default=False)
def slow(session: nox.Session) -> None:
    """Tests for which `.ci/run` has no time: each metric's laws alone, large programs."""
    install(session, "test")
    pytest(session, "-m", "slow and not rare", "--dist", "worksteal", *session.posargs)


@nox.session(default=False)
def rare(session: nox.Session) -> None:
    """Every value on every mesh: takes ten minutes or more."""
    install(session, "test")
    pytest(session, "-m", "rare", "--dist", "worksteal", *session.posargs)


@nox.session(default=False)
def soak(session: nox.Session) -> None:
    """A million updates of fifty metrics in one process, and ten kills: takes half an hour."""
    install(session, "test")
    session.run("python", "-m", "tests.soak", *session.posargs)


@nox.session(default=False)
def lowest(session: nox.Session) -> None:
    """The tests on the lowest versions that pyproject.toml allows."""
    install(session, "test")
    session.install(*(d.replace(">=", "==") for d in PROJECT["project"]["dependencies"]))
    pytest(session, *session.posargs)


@nox.session(default=False)
def x64(session: nox.Session) -> None:
    """The laws and the oracles with 64-bit types switched on, which must change nothing. (Tests of
    messages aren't included, since these name the default float type.)"""
    install(session, "test")
    numbers = "laws sum average extrema std moments last_value accuracy devices loop reduction"
    files = [f"tests/test_{name}.py" for name in numbers.split()]
    pytest(session, *(session.posargs or files), env={"JAX_ENABLE_X64": "1"})


@nox.session(default=False)
def bench(session: nox.Session) -> None:
    """The benchmarks, with clu and metrax for comparison; names after `--` choose some:
    `nox -s bench -- sums`."""
    install(session, "bench")
    session.run("python", "-m", "tests.benchmarks", *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    """Runs ruff."""
    session.install(*nox.project.dependency_groups(PROJECT, "lint"))
    session.run("ruff", "check", ".", *session.posargs)


@nox.session(default=False)
def demo(session: nox.Session) -> None:
    """Trains on handwritten digits, and evaluates on 8 simulated devices."""
    install(session, "demo")
    session.run("python", "docs/examples/train_digits.py", *session.posargs)


@nox.session(default=False)
def types(session: nox.Session) -> None:
    """Runs pyright on the package and the tests, and checks that every public name has a type."""
    install(session, "types")
    session.run("pyright", *session.posargs)
    session.run("pyright", "--verifytypes", "eqmetrics", "--ignoreexternal")


@nox.session
def docs(session: nox.Session) -> None:
    """Builds the documentation; every warning is an error."""
    install(session, "docs")
    session.run("mkdocs", "build", "--strict", "-f", "docs/mkdocs.yml", *session.posargs)


@nox.session(default=False)
def package(session: nox.Session) -> None:
    """Builds the sdist, and from it the wheel; runs the demo with this wheel in a clean
    environment."""
    folder = session.create_tmp()
    session.install("hatchling", "pip", *nox.project.dependency_groups(PROJECT, "demo"))
    session.run("python", "-m", "hatchling", "build", "-t", "sdist", "-d", folder)
    (sdist,) = Path(folder).glob("*.tar.gz")
    session.run("pip", "wheel", "--no-deps", "--quiet", "-w", folder, str(sdist))
    (wheel,) = Path(folder).glob("*.whl")
    session.install(str(wheel))
    demo = Path("docs/examples/train_digits.py").resolve()
    session.chdir(folder)
    session.run("python", "-P", str(demo), "confusion.png")  # `-P`: not the source beside it
