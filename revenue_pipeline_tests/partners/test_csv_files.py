from __future__ import annotations

import pytest

from revenue_pipeline.partners.csv_files import read_csv


def test_every_value_is_a_text_under_a_heading_in_one_spelling() -> None:
    file = read_csv('User ID,Revenue (USD),"a,b"\r\n007,1e5,"x ""y""\nz"\r\n\r\n,,\r\n')
    assert list(file.columns) == ["user_id", "revenue_usd", "a_b"]
    assert file.rows == [
        {"user_id": "007", "revenue_usd": "1e5", "a_b": 'x "y"\nz'},
        {"user_id": "", "revenue_usd": "", "a_b": ""},
    ]


def test_the_first_name_that_is_there_is_the_column() -> None:
    file = read_csv("country_code,revenue\n")
    assert file.column("country", "country_code") == "country_code"
    with pytest.raises(ValueError, match="no column city or town among country_code, revenue"):
        file.column("city", "town")


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "no headings"),
        ("\n", "no headings"),
        ("a,A\n", "one of them twice"),
        ("a,b\n1\n", "line 2 has 1 values under 2 headings"),
        ("a,b\n1,2\n1,2,3\n", "line 3 has 3 values under 2 headings"),
        ('a,b\n1,"2', "line 2: unexpected end of data"),
        ('a,b\n1,"2"3\n', "line 2: "),
    ],
)
def test_a_file_that_is_damaged_is_an_error(text: str, what: str) -> None:
    with pytest.raises(ValueError, match=what):
        read_csv(text)
