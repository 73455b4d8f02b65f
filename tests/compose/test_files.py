"""The files a project mounts: which they are, and what became of them."""

import socket

from watchdog.compose.files import HASHED, differences, from_environment, look, mounted, record


def config(tmp_path):
    return {
        "services": {
            "api": {
                "volumes": [
                    {"type": "bind", "source": f"{tmp_path}/api.conf", "target": "/etc/api.conf"},
                    {"type": "volume", "source": "state", "target": "/state"},
                ],
                "configs": [{"source": "settings"}],
                "secrets": [{"source": "key"}, {"source": "shell"}],
            },
            "web": {"volumes": [{"type": "bind", "source": f"{tmp_path}/api.conf", "target": "/x"}]},
        },
        "configs": {"settings": {"file": f"{tmp_path}/cost$$.yml"}, "inline": {"content": "a: 1"}},
        "secrets": {"key": {"file": f"{tmp_path}/key.pem"}, "shell": {"environment": "SHELL_KEY"}},
    }


def test_which_files(tmp_path):
    assert mounted(config(tmp_path)) == {
        f"{tmp_path}/api.conf": ("api", "web"),
        f"{tmp_path}/cost$.yml": ("api",),
        f"{tmp_path}/key.pem": ("api",),
    }
    assert from_environment(config(tmp_path)) == ["secret shell (variable SHELL_KEY)"]


def test_what_a_path_is(tmp_path):
    (tmp_path / "file").write_text("x")
    with (tmp_path / "huge").open("wb") as huge:
        huge.truncate(HASHED + 1)
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(tmp_path / "sock"))
    assert look(str(tmp_path)) == {"kind": "directory", "digest": ""}
    assert look(str(tmp_path / "sock"))["kind"] == "other"
    assert look(str(tmp_path / "none"))["kind"] == "gone"
    assert look(str(tmp_path / "file"))["digest"].startswith("sha256:2d711642b726b044")
    assert look(str(tmp_path / "huge"))["digest"].startswith(f"size {HASHED + 1} at ")


def test_what_became_of_them(tmp_path):
    one, two, folder = tmp_path / "one", tmp_path / "two", tmp_path / "folder"
    one.write_text("1")
    two.write_text("2")
    folder.mkdir()
    kept = record({str(p): ("api", "web") for p in (one, two, folder)})
    assert differences(kept, frozenset({"api"})) == []
    one.write_text("changed")
    two.unlink()
    folder.rmdir()
    assert differences(kept, frozenset({"api"})) == [
        f"file {one}, mounted by api, has changed since; it stays as it is now",
        f"file {two}, mounted by api, is gone and cannot be brought back",
    ]
    two.mkdir()
    assert differences(kept, frozenset({"web"}))[1] == f"file {two}, mounted by web, was file and is directory now"
    assert differences(kept, frozenset({"db"})) == []


def test_the_contents_are_not_kept(tmp_path):
    (tmp_path / "key.pem").write_text("very secret")
    assert "very secret" not in repr(record({str(tmp_path / "key.pem"): ("api",)}))
