"""The page needs nothing but itself, holds what Markdown and CSV hold, and runs nothing that a user wrote."""

import base64
import csv
import hashlib
import html
import io
import re
from html.parser import HTMLParser

import pytest
from tests.reports.hand_made import usual, weight_maps

from zoogen.reports.comparison import render_comparison
from zoogen.reports.html_page import EMBEDDED_BYTES, HtmlPage, Picture, seeds
from zoogen.reports.named_evaluations import NamedEvaluation, Origin
from zoogen.reports.write import render_report

EVIL = '<script>alert("x")</script>\'"&<img src=http://evil/ onerror=x>'
VOID = {"meta", "img", "link", "br", "hr", "input"}


class Page(HTMLParser):
    """Tags with attributes, table cells, and the texts of script and style."""

    def __init__(self, data: bytes) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.tables: list[list[list[tuple[str, str | None]]]] = []
        self.texts: dict[str, list[str]] = {"script": [], "style": [], "pre": [], "li": [], "h1": []}
        self.open: list[str] = []
        self.feed(data.decode())
        assert self.open == [], "every tag is closed"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("th", "td"):
            self.tables[-1][-1].append(("", dict(attrs).get("data-value")))
        elif tag in self.texts:
            self.texts[tag].append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not self.open:
            return
        if self.open[-1] in ("th", "td"):
            text, value = self.tables[-1][-1][-1]
            self.tables[-1][-1][-1] = (text + data, value)
        elif self.open[-1] in self.texts:
            self.texts[self.open[-1]][-1] += data

    def attributes(self, name: str) -> list[str]:
        return [attributes[name] or "" for _, attributes in self.tags if name in attributes]


def study(name: str = "hand-made") -> NamedEvaluation:
    """The usual evaluation with pictures of weights."""
    evaluation = usual(study=name).model_copy(update={"weight_maps": weight_maps(2, ("dense1.weight",))})
    origin = Origin(f"zoogen pipeline {name}.yaml", {"study": name, "seed": 3, "zoo": {"seed": 7}})
    return NamedEvaluation(name, evaluation, origin)


def png(width: int, height: int) -> bytes:
    """The beginning of a picture of this size."""
    return b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + width.to_bytes(4, "big") + height.to_bytes(4, "big")


@pytest.fixture(scope="module")
def files() -> dict[str, bytes]:
    named = study()
    return render_report(named.evaluation, named.origin)


@pytest.fixture(scope="module")
def compared() -> dict[str, bytes]:
    return render_comparison([study("one"), study("two")], ["a notice"], "zoogen report one.yaml two.yaml")


def markdown_tables(text: str) -> list[list[list[str]]]:
    """Cells of all tables, unescaped, the rule left out."""
    blocks = re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE)
    return [
        [
            [cell.replace("\\|", "|").strip(" *") for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
            for line in block.splitlines()
            if not re.fullmatch(r"[|:-]+", line)
        ]
        for block in blocks
    ]


def cells(page: Page) -> list[list[list[str]]]:
    return [[[text.strip(" *") for text, _ in row] for row in table] for table in page.tables]


def test_all_tables_of_the_markdown_are_there(files: dict[str, bytes], compared: dict[str, bytes]) -> None:
    shown = cells(Page(files["report.html"]))
    texts = [data.decode() for name, data in files.items() if name.endswith(".md")]
    tables = [table for text in texts for table in markdown_tables(text)]
    assert len(tables) >= 6 and all(table in shown for table in tables)
    shown = cells(Page(compared["report.html"]))
    assert all(table in shown for table in markdown_tables(compared["report.md"].decode()))


def test_numbers_are_those_of_the_csv(files: dict[str, bytes]) -> None:
    page = Page(files["report.html"])
    values = {
        (row[0][0], row[1][0], table[0][index][0]): cell[1]
        for table in page.tables
        for row in table[1:]
        for index, cell in enumerate(row)
        if len(row) > 1 and cell[1] is not None
    }
    lines = list(csv.DictReader(io.StringIO(files["audit.csv"].decode())))
    told = [line for line in lines if line["table"].startswith("audit") and line["method"]]
    assert len(told) > 20
    for line in told:
        assert float(values[line["structure"], line["method"], line["column"]] or "nan") == float(line["value"])
    rows = list(csv.DictReader(io.StringIO(files["table.csv"].decode())))
    (full,) = [table for table in page.tables if table[0][-1][0] == "s to train / generate"]
    medians = [row["exact.js.median"] for row in rows]
    assert [float(row[4][1]) if row[4][1] else "" for row in full[1:]] == [float(m) if m else "" for m in medians]


@pytest.mark.parametrize("name", ["study", "comparison"])
def test_nothing_is_loaded_from_elsewhere(name: str, files: dict[str, bytes], compared: dict[str, bytes]) -> None:
    page = Page((files if name == "study" else compared)["report.html"])
    assert all(source.startswith("data:image/png;base64,") for source in page.attributes("src"))
    assert all(re.fullmatch(r"#[\w-]+|[\w.=%-]+/report\.html", target) for target in page.attributes("href"))
    assert {tag for tag, _ in page.tags} & {"link", "iframe", "object", "embed", "form", "base"} == set()
    assert not any(key.startswith("on") or key == "style" for _, attributes in page.tags for key in attributes)
    assert not re.search(r"@import|url\(|https?:|fetch\(|XMLHttp", "".join(page.texts["style"] + page.texts["script"]))


def test_policy_allows_its_own_script_and_style_alone(files: dict[str, bytes]) -> None:
    page = Page(files["report.html"])
    (policy,) = [
        a["content"] or "" for t, a in page.tags if t == "meta" and a.get("http-equiv") == "Content-Security-Policy"
    ]
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert (rules["default-src"], rules["img-src"]) == ("'none'", "data:")
    for kind in ("script", "style"):
        (text,) = page.texts[kind]
        assert rules[f"{kind}-src"] == f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
    first = next(index for index, (tag, _) in enumerate(page.tags) if tag in ("style", "script"))
    assert any("http-equiv" in attributes for _, attributes in page.tags[:first]), "before what it governs"


def test_pictures_are_the_files_beside_the_page(files: dict[str, bytes], compared: dict[str, bytes]) -> None:
    for all_files in (files, {name: data for name, data in compared.items() if "/" not in name}):
        shown = {
            base64.b64decode(source.partition(",")[2]) for source in Page(all_files["report.html"]).attributes("src")
        }
        assert shown == {data for name, data in all_files.items() if name.endswith(".png")} and shown
    assert len(files["report.html"]) < 2**21


def test_pictures_beyond_the_budget_are_named() -> None:
    large = [Picture(f"{name}.png", name, png(4, 4) + bytes(EMBEDDED_BYTES // 2)) for name in "abc"]
    page = HtmlPage("t", "a", (), (), tuple(large)).render()
    assert len(Page(page).attributes("src")) == 1 and b"in the folder beside it: b.png, c.png" in page


def test_flat_pictures_keep_their_height() -> None:
    flat, usual_one = Picture("a.png", "a", png(900, 100)), Picture("b.png", "b", png(300, 100))
    page = Page(HtmlPage("t", "a", (), (), (flat, usual_one)).render())
    assert [a.get("aria-label") for _, a in page.tags if a.get("class") == "scroll wide"] == ["a"]


def test_what_users_wrote_is_text(files: dict[str, bytes]) -> None:
    named = study(EVIL)
    results = [r.model_copy(update={"label": EVIL, "notices": (EVIL,)}) for r in named.evaluation.results]
    evil = NamedEvaluation(EVIL, named.evaluation.model_copy(update={"results": tuple(results)}), named.origin)
    plain = Page(files["report.html"])
    data = render_report(evil.evaluation, evil.origin)["report.html"]
    page = Page(data)
    assert [tag for tag, _ in page.tags].count("script") == 1 and page.texts["script"] == plain.texts["script"]
    assert page.texts["h1"] == [EVIL] and any(EVIL in line for line in page.texts["li"])
    assert EVIL.encode() not in data and html.escape(EVIL, quote=False).partition("'")[0].encode() in data.replace(
        b"&#34;", b'"'
    )
    page = Page(render_comparison([evil, study()], [EVIL], f"zoogen report {EVIL}")["report.html"])
    assert [tag for tag, _ in page.tags].count("script") == 1
    assert any(
        "evil" in target and "<" not in target and "/report.html" in target for target in page.attributes("href")
    )


def test_verdicts_come_first_and_the_making_is_told(files: dict[str, bytes], compared: dict[str, bytes]) -> None:
    page = Page(files["report.html"])
    assert [text for text, _ in page.tables[0][0]][:3] == ["structure", "zoo", "verdict"]
    assert any(
        "B 6^6: new and good: median exact JS .02 is 1.54 × that of trained runs" in line for line in page.texts["li"]
    )
    text = files["report.html"].decode()
    command, configuration = page.texts["pre"]
    assert command == "zoogen pipeline hand-made.yaml" and "study: hand-made" in configuration
    assert "<dt>seeds</dt><dd>seed 3, zoo.seed 7</dd>" in text and "2026-01-01T00:00:00" in text
    page = Page(compared["report.html"])
    assert page.texts["pre"][0] == "zoogen report one.yaml two.yaml" and len(page.texts["pre"]) == 3
    assert [target for target in page.attributes("href") if "/" in target] == ["one/report.html", "two/report.html"]
    assert {target for target in page.attributes("href") if "/" in target} <= set(compared)
    assert "a notice" in page.texts["li"]


def test_tables_scroll_alone_and_can_be_read_by_machines(files: dict[str, bytes]) -> None:
    page = Page(files["report.html"])
    scrolling = [a for tag, a in page.tags if tag == "div" and a.get("class") == "scroll"]
    assert len(scrolling) == len(page.tables) and all(a["tabindex"] == "0" and a["aria-label"] for a in scrolling)
    assert all(a.get("alt") for tag, a in page.tags if tag == "img")
    style = page.texts["style"][0]
    assert "position: sticky" in style, "names stay in sight beside wide tables"
    assert "color-scheme: light dark" in style and "@media print" in style and "overflow-x: auto" in style
    assert any(a.get("name") == "viewport" for tag, a in page.tags if tag == "meta")


def test_an_evaluation_without_a_study_tells_what_it_knows() -> None:
    page = Page(render_report(usual(study=""))["report.html"])
    (configuration,) = page.texts["pre"]
    assert "kind: hypergrid" in configuration and page.texts["h1"] == ["evaluation"]


def test_seeds_of_a_configuration() -> None:
    assert seeds({"seed": 1, "a": {"b": {"seed": 2}, "seeds": 3}}) == {"seed": 1, "a.b.seed": 2}
