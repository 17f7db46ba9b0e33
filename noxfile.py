"""`nox -l` lists the sessions; arguments after `--` go through."""

from pathlib import Path
from typing import Any

import nox


nox.options.default_venv_backend = "venv"
PROJECT = nox.project.load_toml("pyproject.toml")


def install(session: nox.Session, group: str) -> None:
    session.install("-e", ".", *nox.project.dependency_groups(PROJECT, group))


def pytest(session: nox.Session, *args: str, **kwargs: Any) -> None:
    """Two files at once: the tests mostly compile, on one core, and those of one file share
    what they compile. No more than two, however many cores there are: devices that wait for
    each other on a busy machine may give up. A program that was compiled before, in this run or
    an earlier one of any session, is read from a folder: its path is absolute, since the tests
    of the documentation run in folders of their own."""
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
    """The tests that are quick, on 8 simulated devices; with arguments, what they say."""
    install(session, "test")
    pytest(session, *session.posargs)


@nox.session(default=False)
def long(session: nox.Session) -> None:
    """What `tests` leaves out, and `.ci/run` runs: laws and checks of all metrics, by the clock."""
    install(session, "test")
    pytest(session, "-m", "long and not slow", "--dist", "worksteal", *session.posargs)


@nox.session(default=False)
def slow(session: nox.Session) -> None:
    """What `.ci/run` hasn't the time for: each metric's laws alone, large programs."""
    install(session, "test")
    pytest(session, "-m", "slow and not rare", "--dist", "worksteal", *session.posargs)


@nox.session(default=False)
def rare(session: nox.Session) -> None:
    """Every value on every mesh: ten minutes and more."""
    install(session, "test")
    pytest(session, "-m", "rare", "--dist", "worksteal", *session.posargs)


@nox.session(default=False)
def soak(session: nox.Session) -> None:
    """A million updates of fifty metrics in one process, and ten kills: half an hour."""
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
    """The laws and the oracles with 64-bit types switched on: nothing may depend on them.
    (Tests of messages name the default float type, and stay out.)"""
    install(session, "test")
    numbers = "laws sum average extrema std moments last_value accuracy devices loop reduction"
    files = [f"tests/test_{name}.py" for name in numbers.split()]
    pytest(session, *(session.posargs or files), env={"JAX_ENABLE_X64": "1"})


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
    """pyright on the package and the tests, and that no public name is without a type."""
    install(session, "types")
    session.run("pyright", *session.posargs)
    session.run("pyright", "--verifytypes", "eqmetrics", "--ignoreexternal")


@nox.session
def docs(session: nox.Session) -> None:
    """The documentation, strictly."""
    install(session, "docs")
    session.run("mkdocs", "build", "--strict", "-f", "docs/mkdocs.yml", *session.posargs)


@nox.session(default=False)
def package(session: nox.Session) -> None:
    """The wheel and the sdist; the demo, in a clean environment, from the wheel of the sdist."""
    folder = session.create_tmp()
    session.install("hatchling", "pip", *nox.project.dependency_groups(PROJECT, "demo"))
    session.run("python", "-m", "hatchling", "build", "-t", "sdist", "-d", folder)
    (sdist,) = Path(folder).glob("*.tar.gz")
    session.run("pip", "wheel", "--no-deps", "--quiet", "-w", folder, str(sdist))
    (wheel,) = Path(folder).glob("*.whl")
    session.install(str(wheel))
    demo = Path("docs/examples/train_digits.py").resolve()
    session.chdir(folder)
    session.run("python", "-P", str(demo), "confusion.png")  # not what lies beside it
