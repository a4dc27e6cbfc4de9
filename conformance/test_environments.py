"""The virtual environments of the field: which commands make them, and when."""

from field import environments
from field.records import HERE, ORDINARY, read_all


def test_each_row_has_an_environment_whose_files_are_there():
    used = {row.environment for records in read_all().values() for row in records.rows}
    assert used == set(environments.names())
    for name in used:
        assert environments.requirements(name)[0].is_file()


def test_each_file_belongs_to_an_environment():
    named = {path for name in environments.names() for path in environments.requirements(name)}
    assert set((HERE / "environments").glob("*")) <= named


def made(monkeypatch, folder, name):
    """Make an environment without running anything; return the commands."""
    commands = []

    def run(command, *, check):
        commands.append(command)
        (folder / name).mkdir(parents=True, exist_ok=True)

    monkeypatch.setattr(environments.subprocess, "run", run)
    assert environments.build(name, folder) == folder / name / "bin" / "python"
    return commands


def test_an_environment_is_made_of_its_files(monkeypatch, tmp_path):
    venv, plain, bare = made(monkeypatch, tmp_path, "torch")
    assert venv[1:3] == ["-m", "venv"]
    files = [str(path) for path in environments.requirements("torch")]
    assert plain[plain.index("-r") + 1] == files[0]
    assert plain[plain.index("-e") + 1] == f"{HERE.parent}[check]"
    assert bare[bare.index("--no-deps") :] == ["--no-deps", "-r", files[1]]


def test_an_environment_is_made_anew_only_if_its_files_change(monkeypatch, tmp_path):
    assert made(monkeypatch, tmp_path, ORDINARY)
    assert not made(monkeypatch, tmp_path, ORDINARY)
    other = tmp_path / "other.txt"
    other.write_text("numpy==2.0.0\n", encoding="utf-8")
    monkeypatch.setattr(environments, "requirements", lambda name: (other,))
    assert len(made(monkeypatch, tmp_path, ORDINARY)) == 2
