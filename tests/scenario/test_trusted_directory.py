"""Where tools/run and tests/support/certificates put keys: never in a directory in which others can create files or links
(tools/trusted-directory)."""

import os
import subprocess

import pytest
from broker_fixture import ROOT

NOBODY = 65534


def trusted(path):
    return subprocess.run([str(ROOT / "tools/trusted-directory"), str(path)], capture_output=True, text=True, check=False)


def open_to_others(directory):
    directory.chmod(0o777)
    return f"{directory} may be written by others (mode 0777)"


def open_to_a_group(directory):
    os.chown(directory, -1, NOBODY)
    directory.chmod(0o770)
    return f"chmod go-w {directory}"


def belongs_to_others(directory):
    os.chown(directory, NOBODY, -1)
    return f"{directory} belongs to nobody"


def open_above(directory):
    directory.parent.chmod(0o777)
    return f"{directory.parent} may be written by others"


def sticky_itself(directory):
    directory.chmod(0o1777)
    return f"{directory} may be written by others (mode 1777)"


@pytest.mark.parametrize("fault", [open_to_others, open_to_a_group, belongs_to_others, open_above, sticky_itself])
def test_refused(tmp_path, fault):
    if os.geteuid() != 0 and fault in (open_to_a_group, belongs_to_others):
        pytest.skip("only root can give a directory away")
    directory = tmp_path / "above" / "dev"
    directory.mkdir(parents=True)
    assert trusted(directory).returncode == 0
    said = fault(directory)
    done = trusted(directory)
    assert done.returncode == 1 and said in done.stderr and "or use another directory" in done.stderr, done.stderr
    # An existing key would be taken for one's own.
    made = subprocess.run([str(ROOT / "tests/support/certificates"), "ca", str(directory / "ca"), "CA"], capture_output=True, text=True,
                          check=False)
    assert made.returncode == 1 and said in made.stderr and not list(directory.iterdir())


@pytest.mark.parametrize("mode", [0o700, 0o755, 0o500])
def test_what_only_its_owner_can_write_is_fine(tmp_path, mode):
    directory = tmp_path / "dev"
    directory.mkdir()
    directory.chmod(mode)
    assert trusted(directory).returncode == 0


def test_the_way_may_lead_through_links_of_ones_own(tmp_path):
    sticky, link = tmp_path / "sticky", tmp_path / "sticky" / "link"
    sticky.mkdir()
    sticky.chmod(0o1777)
    (tmp_path / "dev").mkdir(mode=0o700)
    link.symlink_to("../dev")
    assert trusted(link).returncode == 0
    if os.geteuid() == 0:
        os.chown(link, NOBODY, -1, follow_symlinks=False)
        done = trusted(link)
        assert done.returncode == 1 and f"{link} is a link that belongs to nobody" in done.stderr


def test_the_way_through_a_directory_of_others(tmp_path):
    """A link in a directory that others can write can be replaced at any time."""
    open_one = tmp_path / "open"
    open_one.mkdir()
    open_one.chmod(0o777)
    (tmp_path / "dev").mkdir(mode=0o700)
    (open_one / "link").symlink_to(tmp_path / "dev")
    (tmp_path / "outer").symlink_to("open/link")
    for path in (open_one / "link", tmp_path / "outer", open_one / ".." / "open" / "link"):
        done = trusted(path)
        assert done.returncode == 1 and "may be written by others" in done.stderr, path
