"""Values in messages are short and on one line, whatever they are."""

import pytest

from zoogen.shown import clipped, listed, one_line, shown


@pytest.mark.parametrize(
    "value",
    [
        "a" * 10_000,
        "a\nb\x00\x1b[31m" * 1_000,
        "\udcff" * 500,
        10**5_000,
        -(10**5_000),
        [[["x" * 1_000] * 50] * 50] * 50,
        {"k" * 1_000: 10**5_000},
        b"\x00" * 1_000,
        object(),
    ],
    ids=range(9),
)
def test_any_value_is_short(value: object) -> None:
    text = shown(value)
    assert len(text) <= 80 and text.isprintable()
    text.encode()


def test_small_values_are_as_python_writes_them() -> None:
    assert [shown(value) for value in ("a'b", 1.5, None, [1, 2], True)] == ['"a\'b"', "1.5", "None", "[1, 2]", "True"]


def test_nested_without_end() -> None:
    endless: list[object] = []
    endless.append(endless)
    deep: object = 1
    for _ in range(100_000):
        deep = [deep]
    assert len(shown(endless)) <= 80 and len(shown(deep)) <= 80


def test_clipped_keeps_both_ends() -> None:
    assert clipped("0123456789", 5) == "01…89" and clipped("01\n 2", 5) == "01 2"
    assert len(clipped("x" * 10**7, 200)) == 200


def test_messages_are_one_bounded_line() -> None:
    message = one_line("study.yaml: 'a b " + "c d " * 500 + "' is wrong,\n so is " + "x" * 5_000 + "; correct it")
    assert "\n" not in message and len(message) < 330
    assert message.startswith("study.yaml: 'a b") and message.endswith("; correct it")


def test_lists_say_how_many_more() -> None:
    assert listed(["a", "b"]) == "a; b" and listed(["aaa", "bbb", "ccc"], 4) == "aaa; and 2 more"
    assert listed([]) == ""
