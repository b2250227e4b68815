"""Tables and the numbers in them."""

from bertpipe.reports.tables import Table, figures_table, markdown, shown


def test_markdown_sets_numbers_to_the_right_and_escapes_bars() -> None:
    """GitHub's format, with a note below; a cell cannot break the table."""
    table = Table("Title", ("name", "value"), (("a|b", "1,000"), ("c", "2.5 ± 0.1")), note="So be it.")
    assert markdown(table) == (
        "| name | value |\n| --- | ---: |\n| a\\|b | 1,000 |\n| c | 2.5 ± 0.1 |\n\nSo be it.\n"
    )


def test_numbers_are_shown_as_people_read_them() -> None:
    """Whole numbers in full with thousands apart, fractions with four digits."""
    values = (1234567, 3.0, 0.123456, 12345.678, "text", -2)
    assert [shown(value) for value in values] == ["1,234,567", "3", "0.1235", "12,345.7", "text", "-2"]


def test_figures_keep_their_order() -> None:
    """Names lose their underscores, nothing is sorted, and a share is told in percent."""
    rows = figures_table("t", {"b_c": 1, "a": "x", "train: padding_share": 0.2}).rows
    assert rows == (("b c", "1"), ("a", "x"), ("train: padding share", "20.00 %"))
