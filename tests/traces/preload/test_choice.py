"""A number selects a program image (a process until it calls exec) in a recording."""

from pathlib import Path

from allocsim.traces.preload.choice import EARLIER, Choices
from allocsim.traces.preload.images import find_images
from allocsim.traces.preload.layout import Code
from tests.traces.preload.writing import write_image


def choices(directory: Path) -> Choices:
    """Process 7 executes three programs. Process 8 executes one program, which makes two calls."""
    for identity in (1000, 2000, 3000):
        write_image(directory, [], process=7, identity=identity)
    write_image(
        directory,
        [(Code.MALLOC, 1, 0x100, 1), (Code.FREE, 2, 0x100)],
        process=8,
        identity=2500,
    )
    return Choices(find_images(directory))


def test_process_id_stands_for_its_last_program(tmp_path: Path) -> None:
    found = choices(tmp_path)
    image = found.image(7)
    assert image is not None
    assert image.identity == 3000
    assert found.is_first(image)


def test_earlier_programs_have_numbers_and_labels_of_their_own(tmp_path: Path) -> None:
    found = choices(tmp_path)
    numbers = [1 << EARLIER | 7, 2 << EARLIER | 7]
    images = [found.image(number) for number in numbers]
    assert [image and image.identity for image in images] == [1000, 2000]
    assert [found.label(number) for number in numbers] == ["program.7.1", "program.7.2"]
    assert found.label(8) == "program.8"


def test_images_without_calls_are_not_listed(tmp_path: Path) -> None:
    found = choices(tmp_path)
    image = found.image(7)
    assert image is not None
    assert found.others(image) == {8: 2}
    assert found.others(None) == {8: 2}
    assert found.others(found.image(8)) == {}


def test_unknown_process_has_no_image(tmp_path: Path) -> None:
    assert choices(tmp_path).image(9) is None
    assert Choices([]).image(7) is None


def test_file_that_is_no_header_is_passed_over(tmp_path: Path) -> None:
    write_image(tmp_path, [])
    (tmp_path / "8-7d0").write_bytes(b"alloc")
    (tmp_path / "9-7d0").write_bytes(bytes(4096))
    (tmp_path / "notes").write_text("")
    assert [image.process for image in find_images(tmp_path)] == [7]


def test_lanes_of_an_image_are_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    """A lane is a sequence of calls that one thread at a time writes. Lane 0 has stacks instead.

    The name of a lane's file ends in the lane's number.
    """
    image = write_image(tmp_path, *[[]] * 17)
    for ending in ("0", "zz", "1.2"):
        (tmp_path / f"7-{image.identity:x}.{ending}").write_bytes(b"")
    write_image(tmp_path, [], process=8, identity=image.identity + 1)
    (found, other) = find_images(tmp_path)
    assert [lane.suffix for lane in found.lanes] == [f".{number:x}" for number in range(1, 18)]
    assert found.stacks.exists()
    assert len(other.lanes) == 1
    assert not other.stacks.exists()
