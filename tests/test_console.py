import io

from rich.console import Console as RichConsole

from zoogen.console import Console, figures_text, plain_report


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_log_file_gets_the_first_the_last_and_some_lines_between() -> None:
    lines: list[str] = []
    clock = Clock()
    report = plain_report(lines.append, "zoo", "cohorts", clock)
    for done in range(41):
        clock.now = float(done)
        report(done, 40, {"checkpoints/s": 2.0})
    assert [line.split(",")[0] for line in lines] == [f"zoo: {n}/40 cohorts" for n in (0, 10, 20, 30, 40)]
    assert lines[1] == "zoo: 10/40 cohorts, checkpoints/s 2, 30 s left"


def test_time_left_does_not_count_what_was_there_before() -> None:
    lines: list[str] = []
    clock = Clock()
    report = plain_report(lines.append, "zoo", "cohorts", clock)
    report(90, 100, {})
    clock.now = 20.0
    report(92, 100, {})  # 10 s each
    assert lines == ["zoo: 90/100 cohorts", "zoo: 92/100 cohorts, 80 s left"]


def test_results_and_progress_go_to_different_streams() -> None:
    out, err = io.StringIO(), io.StringIO()
    console = Console(RichConsole(file=out), RichConsole(file=err))
    with console.progress("zoo", "cohorts") as report:
        report(1, 1, {})
    console.show("a [table]")
    console.say("a [remark]")
    assert out.getvalue() == "a [table]\n"
    assert err.getvalue().splitlines() == ["zoo: 1/1 cohorts", "a [remark]"]


def test_terminal_gets_a_bar_with_counts_and_figures() -> None:
    err = io.StringIO()
    console = Console(None, RichConsole(file=err, force_terminal=True, width=80))
    with console.progress("zoo", "cohorts") as report:
        report(3, 12, {"checkpoints/s": 41.5, "loss": 0.5}, seconds_left=70)
    shown = err.getvalue()
    assert all(text in shown for text in ("3/12", "cohorts", "70 s left", "checkpoints/s 41.5", "loss 0.5"))


def test_figures() -> None:
    assert figures_text({"loss": 0.0123456, "js": 2}) == "loss 0.0123  js 2"
    assert figures_text({}) == ""
