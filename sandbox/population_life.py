"""What generated people do: buy, attend webinars, prove their age."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal

from sandbox import population_data as data
from sandbox.facts import Line, Order
from sandbox.population_person import Maker

_THRESHOLDS = {"USD": "500.00", "CAD": "700.00", "GBP": "400.00"}


def live(maker: Maker) -> None:
    """Give the person orders, registrations and proofs of age, according to the draw."""
    if maker.person.at("shopify"):
        _shop(maker)
    _attend(maker)
    _prove_age(maker)


def _shop(maker: Maker) -> None:
    kind, currency = maker.draw["orders"], data.CURRENCIES[maker.country]
    goods = maker.draw["goods"] if kind not in ("exact", "almost", "mixed_currency") else "none"
    threshold = Decimal(_THRESHOLDS[currency])
    match kind:
        case "recent":
            _buy(maker, maker.ago(1, 29.5), goods)
            _buy_some(maker, 31, 700)
        case "middle":
            _buy(maker, maker.ago(31, 179), goods)
            _buy_some(maker, 31, 700)
        case "lapsed":
            _buy(maker, maker.ago(181, 360), goods)
            _buy_some(maker, 181, 900)
        case "spender":
            for _ in range(maker.random.randint(2, 4)):
                _buy(maker, maker.ago(3, 360), goods, at_least=threshold / 2)
            _buy(maker, maker.ago(366, 420), "none")
        case "exact":
            _buy_for(maker, maker.ago(20, 170), currency, threshold - Decimal("199.90"))
            _buy_for(maker, maker.ago(181, 360), currency, Decimal("199.90"))
        case "almost":
            _buy_for(maker, maker.ago(20, 170), currency, threshold - Decimal("100.00"))
            _buy_for(maker, maker.ago(181, 360), currency, Decimal("99.99"))
            _buy_for(maker, maker.ago(366, 400), currency, Decimal("250.00"))
        case "mixed_currency":
            _buy_for(maker, maker.ago(20, 170), "USD", Decimal("420.00"))
            _buy_for(maker, maker.ago(181, 360), "CAD", Decimal("600.00"))
        case "cancelled":
            _buy(maker, maker.ago(2, 28), goods).cancelled_at = maker.ago(0.5, 1.5)
        case "refunded":
            _buy(maker, maker.ago(2, 28), goods).status = maker.random.choice(("refunded", "voided"))
        case "imported":
            _buy(maker, maker.ago(40, 60), goods).created_at = maker.ago(15, 25)
        case "future":
            order = _buy(maker, maker.ago(2, 5), goods)
            order.processed_at = maker.as_of + timedelta(days=3, hours=maker.random.randint(3, 20))


def _buy_some(maker: Maker, least: float, most: float) -> None:
    for _ in range(maker.random.choice((0, 0, 1, 1, 2, 3))):
        _buy(maker, maker.ago(least, most), "none")


def _buy(maker: Maker, at: datetime, goods: str, at_least: Decimal = Decimal(0)) -> Order:
    sku, title, price = maker.random.choice(data.GOODS[goods])
    quantity = max(maker.random.choice((1, 1, 2)), int(at_least / Decimal(price)) + 1 if at_least else 1)
    return _order(maker, at, data.CURRENCIES[maker.country], [Line(sku, title, quantity, price)])


def _buy_for(maker: Maker, at: datetime, currency: str, total: Decimal) -> Order:
    return _order(maker, at, currency, [Line("RUG-0404", "Wool rug", 1, f"{total:.2f}")])


def _order(maker: Maker, at: datetime, currency: str, lines: list[Line]) -> Order:
    shops = maker.person.at("shopify")
    total = sum((Decimal(line.price) * line.quantity for line in lines), Decimal(0))
    country, region = _ships_to(maker, at)
    status = maker.random.choices(("paid", "partially_refunded", "pending"), (90, 6, 4))[0]
    order = Order("", "", at, at, f"{total:.2f}", currency, status, lines, country=country, region=region)
    order.record_id = str(shops.index(maker.random.choice(shops)))
    maker.person.orders.append(order)
    return order


def _ships_to(maker: Maker, at: datetime) -> tuple[str | None, str | None]:
    if maker.draw["address"] not in ("full", "moved") or maker.draw["reach"] == "erased":
        return None, None
    if maker.draw["address"] == "moved" and at < maker.as_of - timedelta(days=30):
        return ("GB", "ENG") if maker.country == "US" else ("US", "CA")
    return maker.country, maker.region


def _attend(maker: Maker) -> None:
    kind, person = maker.draw["webinar"], maker.person
    if kind == "none" or not person.at("klaviyo"):
        return
    first = maker.ago(15, 25) if kind == "old" else maker.ago(11, 13.5) if "twice" in kind else maker.ago(4, 13.5)
    person.registrations.append(first)
    if "twice" in kind:
        person.registrations.append(maker.ago(1, 4))
    if not person.at("shopify"):
        return
    if kind in ("bought_after", "twice_bought"):
        _buy(maker, first + timedelta(hours=maker.random.randint(1, 60)), "none")
    elif kind == "same_second":
        _buy(maker, first, "none")
    elif kind == "bought_before":
        _buy(maker, first - timedelta(hours=maker.random.randint(1, 60)), "none")


def _prove_age(maker: Maker) -> None:
    kind, person = maker.draw["age"], maker.person
    shops = person.at("shopify")
    if not shops:
        return
    counted = [order for order in person.orders if order.counted and order.processed_at < maker.as_of]
    if counted and kind.startswith(("tag", "not")):
        wrong = maker.random.choice(("Age Not Verified", "Age Verification Not Required"))
        order = maker.random.choice(counted)
        order.tags = "Age Verified" if kind.startswith("tag") else wrong
        order.tags = order.tags if maker.random.random() < 0.5 else f"gift, {order.tags}"
    if kind.endswith(("_adult", "_born", "_minor")):
        days = maker.random.randint(5600, 7600) if kind.endswith("minor") else maker.random.randint(7800, 25000)
        shops[0].birth_date = (date(maker.as_of.year, maker.as_of.month, 1) - timedelta(days=days)).isoformat()
