"""Small charts as inline SVG, coloured by the page's style sheet, so that they fit light and dark alike.

A chart is one panel, 340 units wide, which is about a phone's width and a third of a projector's: its type is as large
on both, and a figure of several panels wraps. Series differ in dash or mark as well as in colour.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from markupsafe import Markup

from pipeline.report.wording import number

WIDTH = 340
_TOP, _BOTTOM, _LEFT, _RIGHT = 10, 40, 46, 12
_CHARACTER = 6.2
"""Expected width of a character of a tick's label, in units."""


@dataclass(frozen=True)
class Axis:
    """What an axis shows, over which range; `log` for powers of ten; `ticks` where the usual ones do not serve."""

    label: str
    low: float
    high: float
    log: bool = False
    ticks: Sequence[float] = ()

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
    """A curve: x and y (n,), an optional band around it, and `style`, a class of the style sheet (one of STYLES)."""

    name: str
    x: Sequence[float]
    y: Sequence[float]
    style: str
    mark: int | None = None
    """Index of a point to single out."""


@dataclass(frozen=True)
class Dot:
    """A row of a dot plot: a value, its interval, and whether it is the one to look at."""

    name: str
    value: float | None
    low: float | None = None
    high: float | None = None
    shown: str = ""
    main: bool = False


@dataclass(frozen=True)
class Rule:
    """A reference at a value of x, with its name."""

    value: float
    name: str


STYLES = ("one", "two", "three", "chance")


def lines(curves: Sequence[Line], x: Axis, y: Axis, alt: str, height: int = 230) -> Markup:
    """Curves over one pair of axes; `alt` says in words what is drawn, for those who cannot see it."""
    box = _Box(_LEFT, _TOP, WIDTH - _RIGHT, height - _BOTTOM)
    parts = [*_x_axis(box, x), *_y_axis(box, y)]
    for curve in curves:
        points = [(box.x(x.at(a)), box.y(y.at(b))) for a, b in zip(curve.x, curve.y, strict=True)]
        path = "M" + "L".join(f"{a:.1f} {b:.1f}" for a, b in points)
        parts.append(
            Markup('<path class="line {}" d="{}"><title>{}</title></path>').format(curve.style, path, curve.name)
        )
        if curve.mark is not None:
            a, b = points[curve.mark]
            parts.append(Markup('<circle class="mark {}" cx="{:.1f}" cy="{:.1f}" r="4"/>').format(curve.style, a, b))
    return _svg(parts, height, alt)


def dots(rows: Sequence[Dot], x: Axis, alt: str, rules: Sequence[Rule] = ()) -> Markup:
    """One row per thing compared: its name above its dot and interval, its value in figures at the right."""
    pitch, top = 36, 22 if rules else 6
    height = top + pitch * len(rows) + 38
    box = _Box(10, top, WIDTH - 14, height - 38)
    parts = _x_axis(box, x)
    for rule in rules:
        at = box.x(x.at(rule.value))
        anchor = "start" if at < WIDTH / 3 else "end" if at > 2 * WIDTH / 3 else "middle"
        parts.append(
            Markup(
                '<path class="rule" d="M{0:.1f} {1}V{2}"/><text class="tick" x="{0:.1f}" y="{3}" text-anchor="{4}">{5}</text>'
            ).format(at, top - 6, box.bottom, top - 10, anchor, rule.name)
        )
    for index, row in enumerate(rows):
        y = top + pitch * index + 14
        look = "main" if row.main else "other"
        parts.append(Markup('<text class="name {}" x="10" y="{}">{}</text>').format(look, y, row.name))
        parts.append(
            Markup('<text class="value {}" x="{}" y="{}" text-anchor="end">{}</text>').format(
                look, WIDTH - 14, y, row.shown
            )
        )
        parts.append(Markup('<path class="track" d="M{} {}H{}"/>').format(box.left, y + 11, box.right))
        if row.value is None:
            continue
        if row.low is not None and row.high is not None:
            ends = box.x(x.at(row.low)), box.x(x.at(row.high))
            parts.append(
                Markup('<path class="interval {}" d="M{:.1f} {}H{:.1f}"/>').format(look, ends[0], y + 11, ends[1])
            )
        parts.append(
            Markup('<circle class="dot {}" cx="{:.1f}" cy="{}" r="5"/>').format(look, box.x(x.at(row.value)), y + 11)
        )
    return _svg(parts, height, alt)


def columns(bars: Sequence[tuple[str, float]], y_label: str, alt: str, height: int = 210) -> Markup:
    """One column per named class, its value above it."""
    top = max((value for _, value in bars), default=0) or 1
    box = _Box(_LEFT, 24, WIDTH - _RIGHT, height - _BOTTOM)
    step = (box.right - box.left) / max(1, len(bars))
    parts = [
        Markup('<path class="axis" d="M{} {}H{}"/>').format(box.left, box.bottom, box.right),
        Markup('<text class="label" x="{}" y="12">{}</text>').format(6, y_label),
    ]
    for index, (name, value) in enumerate(bars):
        x, y = box.left + step * index, box.y(value / top)
        middle = x + step / 2
        parts.append(
            Markup('<rect class="bar" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}"/>').format(
                x + step * 0.14, y, step * 0.72, box.bottom - y
            )
        )
        parts.append(
            Markup('<text class="tick" x="{:.1f}" y="{:.1f}" text-anchor="middle">{}</text>').format(
                middle, y - 4, number(value)
            )
        )
        parts.append(
            Markup('<text class="tick" x="{:.1f}" y="{}" text-anchor="middle">{}</text>').format(
                middle, box.bottom + 16, name
            )
        )
    return _svg(parts, height, alt)


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
    parts = [Markup('<path class="axis" d="M{} {}H{}"/>').format(box.left, box.bottom, box.right)]
    taken = -math.inf
    for tick in axis.marks():
        at, text = box.x(axis.at(tick)), number(tick)
        half = _CHARACTER * len(text) / 2
        middle = min(max(at, half), WIDTH - half)
        parts.append(Markup('<path class="axis" d="M{:.1f} {}v4"/>').format(at, box.bottom))
        if middle - half > taken:
            parts.append(
                Markup('<text class="tick" x="{:.1f}" y="{}" text-anchor="middle">{}</text>').format(
                    middle, box.bottom + 16, text
                )
            )
            taken = middle + half + 4
    middle = (box.left + box.right) / 2
    return [
        *parts,
        Markup('<text class="label" x="{:.1f}" y="{}" text-anchor="middle">{}</text>').format(
            middle, box.bottom + 33, axis.label
        ),
    ]


def _y_axis(box: _Box, axis: Axis) -> list[Markup]:
    parts = []
    for tick in axis.marks():
        at = box.y(axis.at(tick))
        parts.append(Markup('<path class="grid" d="M{} {:.1f}H{}"/>').format(box.left, at, box.right))
        parts.append(
            Markup('<text class="tick" x="{}" y="{:.1f}" text-anchor="end">{}</text>').format(
                box.left - 6, at + 4, number(tick)
            )
        )
    return parts


def _svg(parts: Sequence[Markup], height: float, alt: str) -> Markup:
    return Markup('<svg viewBox="0 0 {} {:.0f}" role="img" aria-label="{}">{}</svg>').format(
        WIDTH, height, alt, Markup("").join(parts)
    )


def _ticks(low: float, high: float, about: int = 4) -> list[float]:
    """Multiples of 1, 2 or 5 times a power of ten, about so many."""
    if not high > low:
        return [low]
    rough = (high - low) / about
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * m for m in (1, 2, 5, 10) if power * m >= rough * (1 - 1e-9))
    first = math.ceil(low / step - 1e-9)
    return [round(n * step, 12) for n in range(first, math.floor(high / step + 1e-9) + 1)]


def _log_ticks(low: float, high: float) -> list[float]:
    """Powers of ten, with 2 and 5 times these where the range is short."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    steps = (1, 2, 5) if math.log10(high / low) < 2.2 else (1,)
    return [
        m * 10.0**p
        for p in powers
        for m in steps
        if low <= m * 10.0**p * (1 + 1e-9) and m * 10.0**p <= high * (1 + 1e-9)
    ]
