"""Small charts as inline SVG, coloured by the page's style sheet, so that they fit light and dark alike.

A chart is one panel, 340 units wide, which is about a phone's width and a third of a projector's: its type is as large
on both, and a figure of several panels wraps. Series differ in dash or mark as well as in colour.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from pipeline.report.wording import number

WIDTH = 340
_CHARACTER = 6.2
"""Expected width of a character of a tick's label, in units."""
_ROUNDING = 1e-9


@dataclass(frozen=True)
class Axis:
    """What an axis shows, over which range; `log` for powers of ten; `ticks` where the usual ones do not serve."""

    label: str
    low: float
    high: float
    log: bool = False
    ticks: Iterable[float] = ()

    def at(self, value: float) -> float:
        """Where `value` lies between low (0) and high (1); outside of them, at the nearer end."""
        low, high, value = (math.log10(v) if self.log else v for v in (self.low, self.high, value))
        return min(1.0, max(0.0, (value - low) / (high - low))) if high > low else 0.5

    def marks(self) -> list[float]:
        """Values for ticks, within the range."""
        if self.ticks:
            return [tick for tick in self.ticks if self.low <= tick <= self.high]
        return _log_ticks(self.low, self.high) if self.log else _ticks(self.low, self.high)


@dataclass(frozen=True)
class Line:
    """A curve through x and y (n,). `style` is a class of the style sheet: one, two, three, chance."""

    name: str
    x: Iterable[float]
    y: Iterable[float]
    style: str
    ring: int | None = None
    """The point to single out."""


@dataclass(frozen=True)
class Dot:
    """A row of a dot plot: a value, the ends of its interval, how it is written, whether it is the one to see, and a
    value from elsewhere to compare it with.
    """

    name: str
    value: float
    low: float
    high: float
    shown: str
    main: bool = False
    elsewhere: float | None = None


@dataclass(frozen=True)
class Rule:
    """A reference at a value of x, with its name."""

    value: float
    name: str


def lines(curves: Sequence[Line], x: Axis, y: Axis, alt: str, rules: Sequence[Rule] = ()) -> Markup:
    """Curves over one pair of axes; `alt` says in words what is drawn, for those who cannot see it."""
    height = 230
    box = _Box(46, 24 if rules else 10, WIDTH - 12, height - 40)
    parts = [*_x_axis(box, x), *_y_axis(box, y), *_rules(box, x, rules)]
    for curve in curves:
        points = [(box.x(x.at(a)), box.y(y.at(b))) for a, b in zip(curve.x, curve.y, strict=True)]
        path = "M" + "L".join(f"{a:.1f} {b:.1f}" for a, b in points)
        parts.append(put('<path class="line {}" d="{}"><title>{}</title></path>', curve.style, path, curve.name))
        if curve.ring is not None:
            a, b = points[curve.ring]
            parts.append(put('<circle class="ring {}" cx="{:.1f}" cy="{:.1f}" r="4"/>', curve.style, a, b))
    return _svg(parts, height, alt)


def dots(rows: Sequence[Dot], x: Axis, title: str, rules: Sequence[Rule] = ()) -> Markup:
    """One row per thing compared: name and value in figures above, dot and interval below."""
    pitch, top = 36, 24
    height = top + pitch * len(rows) + 40
    box = _Box(10, top, WIDTH - 14, height - 40)
    parts = [*_x_axis(box, x), *_rules(box, x, rules)]
    for index, row in enumerate(rows):
        y, look = top + pitch * index + 13, "main" if row.main else "other"
        low, at, high = (box.x(x.at(value)) for value in (row.low, row.value, row.high))
        parts += [
            _text(f"name {look}", box.left, y, row.name, "start"),
            _text(f"name {look}", box.right, y, row.shown, "end"),
            put('<path class="grid" d="M{} {}H{}"/>', box.left, y + 11, box.right),
            put('<path class="interval {}" d="M{:.1f} {}H{:.1f}"/>', look, low, y + 11, high),
            put('<circle class="dot {}" cx="{:.1f}" cy="{}" r="5"/>', look, at, y + 11),
        ]
        if row.elsewhere is not None:
            parts.append(
                put('<circle class="elsewhere" cx="{:.1f}" cy="{}" r="5"/>', box.x(x.at(row.elsewhere)), y + 11)
            )
    told = [f"{row.name} {row.shown}" for row in rows] + [rule.name for rule in rules]
    return _svg(parts, height, f"{title}: {', '.join(told)}")


@dataclass(frozen=True)
class _Box:
    """The rectangle of a panel that holds its data."""

    left: float
    top: float
    right: float
    bottom: float

    def x(self, share: float) -> float:
        return self.left + share * (self.right - self.left)

    def y(self, share: float) -> float:
        return self.bottom - share * (self.bottom - self.top)


def _x_axis(box: _Box, axis: Axis) -> list[Markup]:
    """The line, its ticks, and as many of their labels as there is room for."""
    parts, taken = [put('<path class="axis" d="M{} {}H{}"/>', box.left, box.bottom, box.right)], -math.inf
    for tick in axis.marks():
        at, text = box.x(axis.at(tick)), number(tick)
        half = _CHARACTER * len(text) / 2
        middle = min(max(at, half), WIDTH - half)
        parts.append(put('<path class="axis" d="M{:.1f} {}v4"/>', at, box.bottom))
        if middle - half > taken:
            parts.append(_text("tick", middle, box.bottom + 16, text))
            taken = middle + half + 4
    return [*parts, _text("tick", (box.left + box.right) / 2, box.bottom + 34, axis.label)]


def _y_axis(box: _Box, axis: Axis) -> list[Markup]:
    parts = []
    for tick in axis.marks():
        at = box.y(axis.at(tick))
        parts.append(put('<path class="grid" d="M{} {:.1f}H{}"/>', box.left, at, box.right))
        parts.append(_text("tick", box.left - 6, at + 4, number(tick), "end"))
    return parts


def _rules(box: _Box, axis: Axis, rules: Sequence[Rule]) -> list[Markup]:
    """Upright lines with their names above, each on the side where there is room."""
    parts = []
    for rule in rules:
        at = box.x(axis.at(rule.value))
        anchor = "start" if at < WIDTH / 3 else "end" if at > 2 * WIDTH / 3 else "middle"
        parts.append(put('<path class="rule" d="M{:.1f} {}V{}"/>', at, box.top - 6, box.bottom))
        parts.append(_text("tick", at, box.top - 11, rule.name, anchor))
    return parts


def _text(look: str, x: float, y: float, text: str, anchor: str = "middle") -> Markup:
    return put('<text class="{}" x="{:.1f}" y="{:.1f}" text-anchor="{}">{}</text>', look, x, y, anchor, text)


def put(pattern: str, *values: object) -> Markup:
    """The pattern with the values in it, escaped."""
    return Markup(pattern).format(*values)


def _svg(parts: Sequence[Markup], height: float, alt: str) -> Markup:
    inner = Markup("").join(parts)
    return put('<svg viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>', WIDTH, height, alt, inner)


def _ticks(low: float, high: float) -> list[float]:
    """Multiples of 1, 2 or 5 times a power of ten, about four."""
    if not high > low:
        return [low]
    rough = (high - low) / 4
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * m for m in (1, 2, 5, 10) if power * m >= rough * (1 - _ROUNDING))
    first, last = math.ceil(low / step - _ROUNDING), math.floor(high / step + _ROUNDING)
    return [round(n * step, 12) for n in range(first, last + 1)]


def _log_ticks(low: float, high: float) -> list[float]:
    """Powers of ten, with 2 and 5 times these where the range is short."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    steps = (1, 2, 5) if math.log10(high / low) < 2.2 else (1,)
    ticks = [m * 10.0**p for p in powers for m in steps]
    return [tick for tick in ticks if low * (1 - _ROUNDING) <= tick <= high * (1 + _ROUNDING)]
