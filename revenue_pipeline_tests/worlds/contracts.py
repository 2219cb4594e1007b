"""Line items that were sold and delivered, and the invoices of partners."""

from revenue_pipeline_tests.reference.landing import Texts
from revenue_pipeline_tests.reference.values import ONE_DAY
from revenue_pipeline_tests.worlds.builder import Builder

RATES = ("0", "2.5", "10.000000001", "0.333333333", "1e2", "7")
VOLUMES = ("0", "1", "3", "1E+06", "999", "123456789012", "7.0")
AMOUNTS = ("0", "100", "-12.34", "1234567.890123456", "0.000000001")


def add(builder: Builder) -> None:
    builder.begin("contracts")
    rng, days = builder.rng, len(builder.days_around)
    ids = [f"l{number}" for number in range(rng.randint(2, 6))]
    for line_item_id in ids:
        for _ in range(rng.choice((1, 1, 2, 3))):
            _add_line_item(builder, line_item_id)
    for _ in range(rng.randint(2, 5 * days)):
        _add_delivery(builder, rng.choice((*ids[1:], ids[-1], "l-unknown")))
    for number in range(rng.randint(0, 6)):
        for _ in range(rng.choice((1, 1, 2))):
            _add_invoice(builder, f"i{number}")
    for dataset in ("line_items", "line_item_delivery", "invoices"):
        builder.spoil_some(dataset)


def _add_line_item(builder: Builder, line_item_id: str) -> None:
    rng = builder.rng
    start = rng.choice(builder.days_around)
    row: Texts = {
        "line_item_id": rng.choice((line_item_id, f"{line_item_id} ")),
        "proposal_id": rng.choice((None, "p1")),
        "proposal_status": rng.choice((None, "sold", "Unsold", " retracted")),
        "rate_type": rng.choice(("CPM", "cpm", "CPC", "CPD ")),
        "net_rate": rng.choice(RATES),
        "gross_rate": rng.choice((None, *RATES)),
        "currency": builder.currency(start, needed=True),
        "contracted_volume": rng.choice(VOLUMES),
        "start_date": start.isoformat(),
        "end_date": rng.choice((None, (start + ONE_DAY * 30).isoformat())),
    }
    builder.add("line_items", rng.choice(builder.days_around), row)


def _add_delivery(builder: Builder, line_item_id: str) -> None:
    rng = builder.rng
    day = rng.choice(builder.days_around)
    row: Texts = {
        "delivery_date": day.isoformat(),
        "line_item_id": line_item_id,
        "ad_unit_id": rng.choice(("unit-a", "unit-a ", "unit-b", "1.0")),
        "custom_criteria": rng.choice((None, " ", "section=sport", "section=news")),
        "impressions": rng.choice(("0", "1", "3", "7", "100000", "999999999")),
        "clicks": rng.choice((None, "0", "0", "1", "5")),
    }
    builder.add("line_item_delivery", day, row)


def _add_invoice(builder: Builder, invoice_id: str) -> None:
    """Of a month, or of days; the day whose rate converts it lies among those of the world."""
    rng = builder.rng
    end = rng.choice(builder.days_around)
    start = rng.choice((end.replace(day=1), end, end - ONE_DAY * rng.randint(0, 5)))
    row: Texts = {
        "invoice_id": invoice_id,
        "partner": rng.choice((*builder.settings["partners"], "Nobody")),
        "period_start": start.isoformat(),
        "period_end": end.isoformat(),
        "amount": rng.choice(AMOUNTS),
        "currency": builder.currency(end, needed=True),
    }
    builder.add("invoices", rng.choice(builder.days_around), row)
