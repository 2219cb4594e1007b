from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
QUIET = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking", "--disable-sync")

in_a_browser = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine: apt-get install chromium")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield browser
        browser.close()


def opened(browser: Browser, page: Path, width: int = 1300, scheme: str = "light") -> tuple[Page, list[str]]:
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)  # type: ignore[arg-type]
    shown, troubles = context.new_page(), []
    shown.on("pageerror", lambda error: troubles.append(str(error)))
    shown.on("request", lambda request: troubles.append(request.url) if not request.url.startswith("file:") else None)
    shown.goto(page.as_uri())
    return shown, troubles


def rows(shown: Page) -> list[list[str]]:
    return [line.locator("th, td").all_inner_texts() for line in shown.locator("#cohort-table tbody tr").all()]


def test_the_page_is_one_file_whose_data_cannot_end_the_element_that_holds_it(page: Path) -> None:
    html = page.read_text(encoding="utf-8")

    (data,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', html, re.DOTALL)
    assert json.loads(data)["cohorts"]["start_events"] == ["install", "sign_up"]
    assert "{{" not in html
    assert not re.search(r'(src|href)="(?!#)', html)


@in_a_browser
def test_the_cohort_table_is_a_triangle_with_its_top_row_and_marks(browser: Browser, page: Path) -> None:
    shown, troubles = opened(browser, page)

    assert rows(shown) == [
        ["All", "1,234.75", "1,235.00"],
        ["2026-11-05", "1,234.50", "1,234.75"],
        ["2026-11-06", "0.25", ""],
    ]
    running = shown.locator("#cohort-table tr.sub td.running").all_inner_texts()
    assert running == ["1,234.75", "0.25"]
    assert troubles == []


@in_a_browser
def test_what_is_chosen_is_what_is_shown(browser: Browser, page: Path) -> None:
    shown, troubles = opened(browser, page)

    shown.get_by_text("ROAS", exact=True).click()
    assert rows(shown)[1] == ["2026-11-05", "1,000.00", "1.2345", "1.2348"]
    shown.get_by_text("Users", exact=True).click()
    assert shown.locator("input[value=cumulative]").is_disabled()
    assert shown.locator("input[value=non_cumulative]").is_checked()
    shown.get_by_text("ROAS", exact=True).click()
    assert shown.locator("input[value=cumulative]").is_checked()
    assert rows(shown)[1][-1] == "1.2348"
    shown.get_by_text("In the period").click()
    assert rows(shown)[1][-1] == "0.0003"
    shown.get_by_text("Users", exact=True).click()
    shown.get_by_text("Month", exact=True).click()
    assert [line[0] for line in rows(shown)] == ["All", "2026-11-01"]
    shown.get_by_text("sign up").click()
    assert rows(shown) == [["All", "0"], ["2026-11-01", "0"]]  # a cohort of nobody, for its cost
    assert troubles == []


@in_a_browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1300, 400])
def test_the_page_fits_light_and_dark_wide_and_narrow(browser: Browser, page: Path, width: int, scheme: str) -> None:
    shown, troubles = opened(browser, page, width, scheme)

    assert shown.evaluate("document.documentElement.scrollWidth") <= width
    paper, ink = (shown.evaluate(f"getComputedStyle(document.body).{each}") for each in ("backgroundColor", "color"))
    assert (brightness(paper) > brightness(ink)) is (scheme == "light")
    assert shown.locator("#cohort-charts svg").count() == 2
    assert troubles == []


def brightness(colour: str) -> int:
    return sum(map(int, re.findall(r"\d+", colour)[:3]))
