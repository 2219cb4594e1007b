from __future__ import annotations

from pathlib import Path

import revenue_pipeline
from revenue_pipeline.partners import connectors
from revenue_pipeline.partners.documentation import page

WRITTEN = Path(revenue_pipeline.__file__).parents[1] / "docs" / "partners.md"


def section(name: str) -> str:
    return page().partition(f"\n## {name}\n")[2].partition("\n## ")[0]


def test_the_page_is_up_to_date() -> None:
    assert WRITTEN.read_text(encoding="utf-8") == page(), "write it again: make docs"


def test_every_connector_has_its_line_and_its_section() -> None:
    for name, connector in connectors().items():
        assert f"| [{name}](#{name}) | " in page()
        told = section(name)
        assert f"<{connector.documentation}>" in told
        assert all(f"`{credential}`" in told for credential in connector.credentials)
        assert all(f"| `{option}` | " in told for option in connector.Options.model_fields)


def test_a_line_says_what_the_connector_declares() -> None:
    columns = "app_id, platform, country, ad_format, ad_unit_id"
    expected = (
        "| [levelplay](#levelplay) | `raw.partner_revenue` | UTC | not known; user-level 13 days | 3 | "
        f"aggregated, user-level | {columns} |"
    )
    assert expected in page().splitlines()


def test_a_section_says_how_an_account_is_set_up() -> None:
    told = section("admob")
    assert "- Credentials: `client_id`, `client_secret`, `refresh_token`\n" in told
    assert "- Calls: at most 900 calls in 60 s, as documented; 4 days at once\n" in told
    assert "| `publisher_id` | required | The AdMob account, such as pub-9876543210987654. |\n" in told
    assert "| `report` | `network` | " in told
    assert "One of `network`, `mediation`. |\n" in told


def test_every_option_says_what_it_is_for() -> None:
    untold = [
        f"{name}.{option}"
        for name, connector in connectors().items()
        for option, field in connector.Options.model_fields.items()
        if not field.description
    ]
    assert untold == []
