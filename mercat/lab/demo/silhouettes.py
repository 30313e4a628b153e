# ruff: noqa: E501
"""What things look like: one small drawing a kind, on a field of 800 by 800, standing at about y = 640.

A drawing is given its tones and a pattern number, and uses no letters, no styles and no scripts, so a strict
content policy never spoils it.
"""

from collections.abc import Callable, Iterable

from mercat.lab.demo.palette import Tones


def _p(d: str, fill: str, more: str = "") -> str:
    return f'<path d="{d}" fill="{fill}"{more}/>'


def _line(d: str, colour: str, width: int, more: str = "") -> str:
    return (
        f'<path d="{d}" fill="none" stroke="{colour}" stroke-width="{width}" stroke-linecap="round"'
        f' stroke-linejoin="round"{more}/>'
    )


def _r(x: int, y: int, w: int, h: int, r: int, fill: str, more: str = "") -> str:
    return f'<rect x="{x}" y="{y}" width="{w}" height="{h}" rx="{r}" fill="{fill}"{more}/>'


def _c(x: int, y: int, r: int, fill: str, more: str = "") -> str:
    return f'<circle cx="{x}" cy="{y}" r="{r}" fill="{fill}"{more}/>'


def _e(x: int, y: int, rx: int, ry: int, fill: str, more: str = "") -> str:
    return f'<ellipse cx="{x}" cy="{y}" rx="{rx}" ry="{ry}" fill="{fill}"{more}/>'


def _dots(rows: Iterable[int], x: int, step: int, count: int, size: int, colour: str, opacity: str) -> str:
    """Draw a grid of round dots as one dashed path."""
    lines = "".join(f"M{x} {y}h{step * (count - 1) + 1}" for y in rows)
    return _line(lines, colour, size, f' stroke-dasharray="0 {step}" stroke-opacity="{opacity}"')


def _shadow(width: int, y: int = 640) -> str:
    return _e(400, y, width, 30, "url(#s)")


_SHINE = ' fill-opacity=".3"'
_FAINT = ' fill-opacity=".16"'
_WHITE = "#fff"
_BLACK = "#16130f"


def _picture(t: Tones, v: int, x: int, y: int, w: int, h: int) -> str:
    """Draw what a screen or a cover shows: hills, waves, a sun, dunes."""
    right, low = x + w, y + h
    if v % 4 == 0:
        return (
            _r(x, y, w, h, 0, t.glow)
            + _c(x + w * 7 // 10, y + h * 3 // 10, min(w, h) // 8, t.partner)
            + _p(
                f"M{x} {low}V{y + h * 6 // 10}Q{x + w // 4} {y + h * 4 // 10} {x + w // 2} {y + h * 7 // 10}T{right} {y + h * 6 // 10}V{low}z",
                t.base,
            )
            + _p(
                f"M{x} {low}V{y + h * 8 // 10}Q{x + w // 3} {y + h * 6 // 10} {x + w * 2 // 3} {y + h * 17 // 20}T{right} {y + h * 8 // 10}V{low}z",
                t.deep,
            )
        )
    if v % 4 == 1:
        bands = (t.light, t.base, t.dark, t.deep)
        return _r(x, y, w, h, 0, t.glow) + "".join(
            _p(
                f"M{x} {low}V{y + h * (3 + 2 * i) // 10}q{w // 4} {-h // 8} {w // 2} 0t{w - w // 2} 0V{low}z",
                band,
            )
            for i, band in enumerate(bands[:3])
        )
    if v % 4 == 2:
        return (
            _r(x, y, w, h, 0, t.deep)
            + _c(x + w // 2, y + h // 2, min(w, h) * 3 // 8, t.base)
            + _c(x + w * 6 // 10, y + h * 4 // 10, min(w, h) // 4, t.partner, ' fill-opacity=".9"')
        )
    return (
        _r(x, y, w, h, 0, t.base)
        + _p(f"M{x} {y}h{w * 6 // 10}L{x} {y + h * 7 // 10}z", t.light)
        + _p(f"M{right} {low}H{x + w * 3 // 10}L{right} {y + h * 3 // 10}z", t.partner)
        + _c(x + w * 4 // 10, y + h // 2, min(w, h) // 7, t.paper)
    )


def monitor(t: Tones, v: int) -> str:
    return (
        _shadow(230)
        + _p("M362 500h76l14 122h-104z", t.metal)
        + _p("M362 500h76l4 36h-84z", _BLACK, _FAINT)
        + _r(272, 614, 256, 24, 12, "#a9aeb1")
        + _r(120, 190, 560, 344, 20, t.ink)
        + _picture(t, v, 136, 206, 528, 306)
        + _p("M136 206h250L230 512H136z", _WHITE, ' fill-opacity=".12"')
    )


def laptop(t: Tones, v: int) -> str:
    return (
        _shadow(320, 602)
        + _r(190, 218, 420, 288, 18, t.ink)
        + _picture(t, v, 206, 234, 388, 252)
        + _p("M206 234h180L280 486h-74z", _WHITE, ' fill-opacity=".12"')
        + _p("M176 506h448l64 78q4 18-16 18H128q-20 0-16-18z", t.light)
        + _p("M216 518h368l22 34H194z", t.deep, ' fill-opacity=".55"')
        + _p("M346 562h108l8 22H338z", t.dark)
        + _p("M112 584h576q2 18-16 18H128q-18 0-16-18z", t.dark)
    )


def phone(t: Tones, v: int) -> str:
    return (
        _shadow(190, 668)
        + _r(396, 166, 216, 452, 40, t.body, ' transform="rotate(8 504 392)"')
        + _r(420, 190, 84, 100, 26, t.dark, ' transform="rotate(8 504 392)"')
        + "".join(_c(x, y, 17, t.ink) + _c(x - 4, y - 5, 5, t.glow) for x, y in ((488, 206), (482, 248)))
        + _r(236, 150, 248, 506, 44, t.ink)
        + f'<clipPath id="c"><rect x="250" y="164" width="220" height="478" rx="32"/></clipPath><g clip-path="url(#c)">{_picture(t, v, 250, 164, 220, 478)}'
        + _p("M250 164h150L250 470z", _WHITE, ' fill-opacity=".14"')
        + "</g>"
        + _r(326, 178, 68, 18, 9, t.ink)
    )


def case(t: Tones, v: int) -> str:
    return (
        _shadow(170, 668)
        + _r(258, 144, 284, 516, 54, t.dark)
        + _r(268, 144, 272, 508, 50, t.body)
        + _r(290, 168, 112, 132, 34, t.deep)
        + _c(346, 204, 22, t.ink)
        + _c(346, 262, 22, t.ink)
        + _line("M300 620V340" if v % 2 else "M430 620h70", t.light, 4, ' stroke-dasharray="10 12"')
        + _p("M500 152q32 8 32 44v400l-20 20V176z", _WHITE, _SHINE)
    )


def charger(t: Tones, v: int) -> str:
    return (
        _shadow(230)
        + _line("M470 470C640 470 660 250 540 250S430 380 560 420 690 560 590 610", t.dark, 18)
        + _r(556, 588, 74, 40, 12, t.metal)
        + _r(160, 340, 270, 268, 46, t.body)
        + _r(160, 340, 270, 268, 46, _WHITE, ' fill-opacity=".08"')
        + _r(230, 272, 28, 76, 8, t.metal)
        + _r(332, 272, 28, 76, 8, t.metal)
        + _r(424, 444, 56, 52, 12, t.deep)
        + _c(295, 474, 46, t.dark)
        + _p("M304 440l-30 42h18l-8 30 30-42h-18z", t.partner if v % 2 else t.glow)
    )


def headphones(t: Tones, v: int) -> str:
    return (
        _shadow(220, 650)
        + _line("M212 470V400a188 188 0 0 1 376 0v70", t.deep, 40)
        + _line("M226 400a174 174 0 0 1 348 0", t.base, 22)
        + _line("M250 330a174 174 0 0 1 110-98", t.glow, 8, ' stroke-opacity=".7"')
        + "".join(
            _r(x + (78 if x < 400 else -14), 424, 46, 180, 22, t.ink) + _r(x, 410, 110, 208, 50, t.body)
            for x in (150, 540)
        )
        + _r(176, 446, 20, 136, 10, _WHITE, _SHINE)
        + _c(616, 514, 30, t.dark)
        + _c(616, 514, 13, t.partner if v % 2 else t.light)
    )


def speaker(t: Tones, v: int) -> str:
    dots = _dots(range(330, 600, 34), 270, 37, 8, 12, _BLACK, ".28")
    if v % 2:
        return (
            _shadow(190, 652)
            + _r(236, 170, 328, 480, 150, t.body)
            + _r(236, 300, 328, 320, 60, t.dark, ' fill-opacity=".5"')
            + dots
            + _e(400, 214, 96, 26, t.deep)
            + _e(400, 210, 92, 22, t.light)
            + _line("M368 210h64M400 196v28", t.deep, 6)
        )
    return (
        _shadow(190, 652)
        + _r(230, 150, 340, 500, 34, t.body)
        + _r(250, 170, 300, 460, 22, t.deep)
        + _c(400, 282, 72, t.ink)
        + _c(400, 282, 46, t.base)
        + _c(400, 282, 18, t.light)
        + _c(400, 482, 116, t.ink)
        + _c(400, 482, 88, t.dark)
        + _c(400, 482, 34, t.partner)
        + _p("M340 420a88 88 0 0 1 60-26v16a74 74 0 0 0-48 22z", _WHITE, _SHINE)
    )


def camera(t: Tones, v: int) -> str:
    return (
        _shadow(260, 612)
        + _p("M296 262l28-58q6-12 20-12h112q14 0 20 12l28 58z", t.deep)
        + _r(178, 226, 74, 40, 12, t.metal)
        + _c(590, 246, 34, t.metal)
        + _r(136, 254, 528, 348, 44, t.ink)
        + _r(136, 312, 528, 214, 0, t.body)
        + _c(400, 424, 168, t.ink)
        + _c(400, 424, 144, "#3b4046")
        + _c(400, 424, 112, t.ink)
        + _c(400, 424, 78, t.deep)
        + _c(400, 424, 52, t.dark if v % 2 else "#3d5a6c")
        + _p("M340 392a70 70 0 0 1 58-38v22a50 50 0 0 0-38 26z", _WHITE, ' fill-opacity=".55"')
        + _c(436, 456, 12, _WHITE, _SHINE)
        + _r(580, 280, 52, 20, 8, t.partner)
    )


def watch(t: Tones, v: int) -> str:
    face = _c if v % 2 else None
    return (
        _shadow(150, 690)
        + _p("M318 92q4-16 20-16h124q16 0 20 16l22 190H296z", t.body)
        + _p("M296 518h208l-22 160q-4 16-20 16H338q-16 0-20-16z", t.body)
        + _p("M388 96h24v150h-24z", _BLACK, _FAINT)
        + "".join(_e(400, y, 9, 7, t.deep) for y in (570, 606, 642))
        + _r(548, 372, 34, 62, 14, t.metal)
        + (
            face(400, 400, 166, t.metal) + face(400, 400, 148, t.ink)
            if face
            else _r(242, 238, 316, 324, 92, t.metal) + _r(258, 254, 284, 292, 80, t.ink)
        )
        + _line("M400 400m-92 0a92 92 0 1 1 92 92", t.partner, 18)
        + _line("M400 400m-60 0a60 60 0 1 1 100 44", t.glow, 14)
        + _line("M400 400v-34M400 400l24 16", t.paper, 10)
    )


def mug(t: Tones, v: int) -> str:
    band = (
        _p("M228 430h300v64H232z", t.partner, ' fill-opacity=".85"'),
        _dots((380, 450, 520), 270, 56, 5, 26, t.paper, ".75"),
        _p("M240 560h276q-6 70-60 70H300q-54 0-60-70z", t.paper, ' fill-opacity=".8"'),
        _line("M256 420q30-34 60 0t60 0 60 0 60 0", t.paper, 12, ' stroke-opacity=".8"'),
    )[v % 4]
    return (
        _shadow(230, 634)
        + _line("M512 376h40q68 0 68 76t-76 88h-40", t.dark, 34)
        + _p("M222 290h308v240q0 104-92 104H314q-92 0-92-104z", t.body)
        + band
        + _e(376, 290, 154, 36, t.light)
        + _e(376, 294, 136, 27, t.deep)
        + _e(376, 300, 124, 20, "#6b4630")
        + _p("M250 340q14 10 26 12v210q-22-10-26-44z", _WHITE, _SHINE)
        + _line("M340 232q-22-26 0-50t0-50M412 232q-22-26 0-50t0-50", _WHITE, 9, ' stroke-opacity=".6"')
    )


def pan(t: Tones, v: int) -> str:
    if v % 2:
        return (
            _shadow(260, 622)
            + _line("M176 420h-46q-14 0-14 18t14 18h50M624 420h46q14 0 14 18t-14 18h-50", t.deep, 22)
            + _p("M172 372h456v150q0 96-96 96H268q-96 0-96-96z", t.body)
            + _r(158, 346, 484, 34, 17, t.dark)
            + _p("M186 346q30-92 214-92t214 92z", t.light)
            + _p("M220 332q34-54 150-58v10q-96 8-122 48z", _WHITE, _SHINE)
            + _r(366, 216, 68, 42, 18, t.wood)
            + _p("M204 400h26v150q-26-18-26-52z", _WHITE, _SHINE)
        )
    return (
        _shadow(230, 560)
        + _r(520, 384, 232, 40, 20, t.wood)
        + _c(722, 404, 9, t.paper)
        + _r(500, 380, 74, 48, 12, t.metal)
        + _p("M92 374h440l-34 132q-12 44-60 44H186q-48 0-60-44z", t.body)
        + _e(312, 376, 222, 46, t.light)
        + _e(312, 382, 202, 36, t.ink)
        + _p("M150 384q40-26 130-30-80 14-110 42z", _WHITE, _FAINT)
        + _line("M262 300q-20-24 0-46t0-46M344 300q-20-24 0-46t0-46", _WHITE, 9, ' stroke-opacity=".55"')
    )


def kettle(t: Tones, v: int) -> str:
    return (
        _shadow(230, 642)
        + _line(
            "M272 320V226q0-50 50-50h170q50 0 50 50v94" if v % 2 else "M300 300q0-140 104-140t112 128",
            t.wood,
            30,
        )
        + _p("M540 386q56-10 74-78l52 16q-26 138-112 154z", t.dark)
        + _p("M258 310h284q42 90 46 230 2 100-96 100H308q-98 0-96-100 4-140 46-230z", t.body)
        + _e(400, 312, 142, 26, t.light)
        + _e(400, 300, 96, 20, t.dark)
        + _r(376, 262, 48, 34, 16, t.wood)
        + _p("M274 370q-30 90-28 176 2 30 18 44 0-130 34-220z", _WHITE, _SHINE)
        + _r(214, 604, 372, 36, 18, t.deep)
    )


def lamp(t: Tones, v: int) -> str:
    if v % 2:
        return (
            _shadow(210, 656)
            + _line("M330 636L270 440 420 250", t.ink, 16)
            + _c(270, 440, 18, t.metal)
            + _r(226, 624, 208, 32, 16, t.dark)
            + '<g transform="translate(424 244) rotate(-22)">'
            + _p("M-86 108H86l44 190h-260z", "#fff3c4", ' fill-opacity=".45"')
            + _e(0, 108, 62, 24, "#fff6d8")
            + _r(-26, -44, 52, 64, 18, t.deep)
            + _p("M-36 6q36-16 72 0l54 104h-180z", t.body)
            + "</g>"
        )
    return (
        _shadow(200, 656)
        + _r(388, 380, 24, 200, 0, t.wood)
        + _p("M330 648q-34 0-34-26 0-62 104-62t104 62q0 26-34 26z", t.dark)
        + _p("M330 648q-34 0-34-26 0-40 46-54-16 40 10 80z", _WHITE, _FAINT)
        + _e(400, 398, 190, 50, "#fff0bd", ' fill-opacity=".75"')
        + _p("M300 160h200l96 236q-196 40-392 0z", t.body)
        + _p("M300 160h60l-60 252q-50-4-96-16z", _WHITE, _SHINE)
        + _e(400, 160, 100, 15, t.light)
        + _line("M452 420v70", t.metal, 4)
        + _c(452, 498, 9, t.partner)
    )


def chair(t: Tones, v: int) -> str:
    if v % 2:
        return (
            _shadow(240, 676)
            + _line("M400 520v80M400 600l-130 50M400 600l130 50M400 600v62", t.ink, 20)
            + "".join(_c(x, 662, 16, t.deep) for x in (262, 400, 538))
            + _r(372, 370, 56, 70, 0, t.ink)
            + _p("M270 160q4-40 44-40h172q40 0 44 40l14 210q2 24-24 24H280q-26 0-24-24z", t.body)
            + _p("M300 190q100-24 200 0l6 70q-106-24-212 0z", _WHITE, _FAINT)
            + _line("M232 360h-26v100h60M568 360h26v100h-60", t.deep, 24)
            + _r(230, 430, 340, 90, 44, t.dark)
            + _r(230, 424, 340, 70, 35, t.base)
        )
    return (
        _shadow(220, 672)
        + _line("M262 520l-34 140M538 520l34 140", t.wood, 24)
        + _line("M316 520l-14 120M484 520l14 120", "#94704a", 20)
        + _p("M250 170q0-50 50-50h200q50 0 50 50l-18 270H268z", t.body)
        + _p("M276 180q0-36 36-36h60q-60 20-70 130l-8 150h-6z", _WHITE, _FAINT)
        + _p("M216 446q0-32 34-32h300q34 0 34 32v36q0 46-46 46H262q-46 0-46-46z", t.dark)
        + _p("M216 446q0-32 34-32h300q34 0 34 32v10q0 36-46 36H262q-46 0-46-36z", t.light)
    )


def cushion(t: Tones, v: int) -> str:
    pattern = (
        "".join(
            _line(f"M{x} 214q-14 190 0 384", t.paper, 14, ' stroke-opacity=".6"')
            for x in (270, 335, 400, 465, 530)
        ),
        _c(400, 406, 108, t.partner, ' fill-opacity=".85"') + _c(400, 406, 56, t.paper, ' fill-opacity=".8"'),
        _dots(range(266, 560, 70), 260, 70, 5, 24, t.paper, ".7"),
        _p("M400 250l150 156-150 156-150-156z", t.partner, ' fill-opacity=".8"'),
    )[v % 4]
    return (
        _shadow(250, 640)
        + _p(
            "M178 190q-22-36 20-20 202 30 404 0 42-16 20 20-30 216 0 432 22 36-20 20-202-30-404 0-42 16-20-20 30-216 0-432z",
            t.body,
        )
        + pattern
        + _p("M204 206q-16 200 0 400l20-8q-16-190 0-384z", _WHITE, _SHINE)
        + _c(400, 406, 9, t.deep)
    )


def towel(t: Tones, v: int) -> str:
    layers = ((520, t.body, t.partner), (400, t.light, t.paper), (280, t.dark, t.glow))
    return _shadow(270, 642) + "".join(
        _p(f"M196 {y}h388q50 0 50 58t-50 58H196q-26 0-26-58t26-58z", fill)
        + _p(f"M584 {y}q50 0 50 58t-50 58q-40-6-40-58t40-58z", _BLACK, _FAINT)
        + _line(f"M584 {y + 32}q24 4 24 26t-24 26", _WHITE, 7, ' stroke-opacity=".5"')
        + _p(
            f"M{250 + 16 * (v % 3)} {y}h26v116h-26zM{292 + 16 * (v % 3)} {y}h10v116h-10z",
            band,
            ' fill-opacity=".8"',
        )
        for y, fill, band in layers
    )


def book(t: Tones, v: int) -> str:
    return (
        _shadow(220, 676)
        + _p("M226 132h340q16 0 16 16v520H240q-30 0-30-30V148z", t.deep)
        + _p("M236 618h346v44H240q-20 0-20-22t16-22z", t.paper)
        + _line("M244 634h334M244 648h334", "#d8d2c4", 3)
        + _p("M226 118h340q16 0 16 16v484H240q-30 0-30 28V134q0-16 16-16z", t.body)
        + f'<clipPath id="c"><rect x="282" y="158" width="264" height="300" rx="4"/></clipPath><g clip-path="url(#c)">{_picture(t, v, 282, 158, 264, 300)}</g>'
        + _r(282, 496, 264, 18, 4, t.glow)
        + _r(318, 536, 192, 12, 4, t.glow, ' fill-opacity=".7"')
        + _p("M226 118h22v502q-24 2-38 26V134q0-16 16-16z", _BLACK, ' fill-opacity=".2"')
    )


def shirt(t: Tones, v: int) -> str:
    chest = (
        "",
        "".join(_r(270, y, 260, 22, 0, t.paper, ' fill-opacity=".7"') for y in range(320, 600, 62)),
        _r(432, 320, 66, 74, 8, t.dark),
        _c(400, 400, 62, t.partner, ' fill-opacity=".9"'),
    )[v % 4]
    return (
        _shadow(220, 664)
        + _p("M310 150L176 214 104 366l98 46 56-74z", t.dark)
        + _p("M490 150l134 64 72 152-98 46-56-74z", t.dark)
        + _p(
            "M306 148q94 60 188 0l60 28q14 60-12 150l4 300q0 18-18 18H272q-18 0-18-18l4-300q-26-90-12-150z",
            t.body,
        )
        + chest
        + _p("M306 148q94 60 188 0l14 8q-108 84-216 0z", t.deep)
        + _line("M268 330q4 130 0 250M532 330q-4 130 0 250", _BLACK, 5, ' stroke-opacity=".14"')
    )


def hoodie(t: Tones, v: int) -> str:
    return (
        _shadow(230, 676)
        + _p(
            "M280 184L168 260 116 588q0 20 18 24l66 8 60-250zM520 184l112 76 52 328q0 20-18 24l-66 8-60-250z",
            t.dark,
        )
        + _p("M118 574l92 12-6 36-80-10zM682 574l-92 12 6 36 80-10z", t.deep)
        + _p("M282 182q118 50 236 0l32 40-4 402q0 20-20 20H274q-20 0-20-20l-4-402z", t.body)
        + _p("M254 600h292v24q0 20-20 20H274q-20 0-20-20z", t.deep)
        + _p("M278 186q20-92 122-92t122 92q-40 76-122 76t-122-76z", t.dark)
        + _p("M318 186q16-52 82-52t82 52q-26 54-82 54t-82-54z", t.deep)
        + _line("M370 244v92M430 244v74", t.paper, 9)
        + (_line("M400 262v378", t.deep, 7) if v % 2 else _p("M306 470h188l34 100H272z", t.dark))
    )


def trousers(t: Tones, v: int) -> str:
    return (
        _shadow(190, 672)
        + _p(
            "M278 130h244l46 520q1 14-14 14H450q-14 0-16-14L400 320l-34 330q-2 14-16 14H246q-15 0-14-14z",
            t.body,
        )
        + _p("M400 250v70l-34 330q-2 14-16 14h-22z", _BLACK, _FAINT)
        + (
            _p(
                "M235 622h134l-3 28q-2 14-16 14H246q-15 0-14-14zM431 622h134l3 28q1 14-14 14H450q-14 0-16-14z",
                t.light,
            )
            if v % 2
            else ""
        )
        + _r(274, 116, 252, 44, 8, t.dark)
        + _line("M400 160v90q-22 10-30 26", t.deep, 5)
        + _line("M290 162q0 64-34 76M510 162q0 64 34 76", t.deep, 6)
        + "".join(_r(x, 110, 16, 58, 5, t.deep) for x in (304, 480))
        + _c(400, 138, 10, t.partner)
    )


def shoe(t: Tones, v: int) -> str:
    return (
        _shadow(300, 596)
        + _p(
            "M120 500q-10-120 6-196 3-18 20-14 74 34 134-22 14-12 26 2l92 110q26 30 74 42l124 30q66 16 72 68v20H120z",
            t.body,
        )
        + _p("M126 304q3-18 20-14 60 28 112-6-10 60 14 110 30 62 20 126H120q-10-130 6-216z", t.dark)
        + _p(
            "M520 444l76 18q66 16 72 68h-150q-26-44 2-86z", t.dark if v % 2 else t.paper, ' fill-opacity=".9"'
        )
        + "".join(
            _line(f"M{x} {y}l62-26", t.paper, 12) for x, y in ((300, 352), (328, 386), (358, 418), (394, 444))
        )
        + _p("M190 500q80-86 190-44-90 4-130 62z", t.partner)
        + _p("M112 520h564q16 0 16 20 0 44-42 44H142q-40 0-40-40 0-24 10-24z", t.paper)
        + _p("M104 552q0 32 38 32h508q42 0 42-38z", "#d9d4c8")
    )


def hat(t: Tones, v: int) -> str:
    if v % 2:
        return (
            _shadow(220, 620)
            + _c(400, 174, 52, t.partner)
            + _p("M216 500q-10-300 184-300t184 300z", t.body)
            + "".join(
                _line(f"M{x} {y}V490", t.dark, 9)
                for x, y in ((280, 300), (340, 230), (400, 214), (460, 230), (520, 300))
            )
            + _r(192, 474, 416, 128, 40, t.dark)
            + "".join(_line(f"M{x} 494v88", t.deep, 7, ' stroke-opacity=".6"') for x in range(236, 590, 46))
        )
    return (
        _shadow(300, 574)
        + _p("M178 490q-6-250 214-250 206 0 212 238z", t.body)
        + _p("M392 240q-70 90-66 250", "none", f' stroke="{t.dark}" stroke-width="6"')
        + _c(396, 238, 17, t.dark)
        + _p("M178 482q210-60 426-4 116 30 128 84-4 12-22 8-230-76-508-24-28 4-24-64z", t.dark)
        + _p("M190 500q210-58 414-8 80 20 116 62-240-80-530-54z", _WHITE, _FAINT)
        + _r(420, 356, 96, 66, 12, t.partner)
    )


def bag(t: Tones, v: int) -> str:
    if v % 2:
        return (
            _shadow(230, 664)
            + _line("M300 330V236a100 100 0 0 1 200 0v94", t.deep, 22)
            + _p("M206 304h388l34 320q2 34-32 34H204q-34 0-32-34z", t.body)
            + _p("M206 304h388l6 60H200z", t.dark)
            + _r(300, 430, 200, 140, 16, t.dark, ' fill-opacity=".6"')
            + _c(400, 500, 34, t.partner)
            + _p("M220 380h26l-14 240h-36z", _WHITE, _SHINE)
        )
    return (
        _shadow(210, 672)
        + _line("M346 148q0-46 54-46t54 46", t.deep, 20)
        + _p("M214 330q0-190 186-190t186 190v290q0 44-44 44H258q-44 0-44-44z", t.body)
        + _p("M250 330q0-150 130-160-70 40-76 170v120h-54z", _WHITE, _FAINT)
        + _r(182, 440, 56, 170, 24, t.dark)
        + _r(562, 440, 56, 170, 24, t.dark)
        + _p("M262 440q0-26 26-26h224q26 0 26 26v152q0 30-30 30H292q-30 0-30-30z", t.dark)
        + _line("M286 456h228M292 312h216", t.deep, 9)
        + _r(470, 452, 18, 56, 8, t.partner)
        + _r(376, 250, 48, 40, 8, t.wood)
    )


def block(t: Tones, v: int) -> str:
    def cube(x: int, y: int, front: str, side: str, top: str) -> str:
        return (
            _p(f"M{x} {y}l40-36h170l-40 36z", top)
            + _p(f"M{x + 170} {y}l40-36v170l-40 36z", side)
            + _p(f"M{x} {y}h170v170H{x}z", front)
        )

    marks = (
        _c(277, 555, 46, t.paper) + _p("M472 595l44-84 44 84z", t.paper),
        _p("M237 515h80v80h-80z", t.paper) + _c(517, 555, 46, t.paper),
    )[v % 2]
    return (
        _shadow(290, 642)
        + cube(192, 470, t.base, t.dark, t.light)
        + cube(432, 470, t.partner, t.deep, t.glow)
        + cube(300, 264, t.wood, "#94704a", "#d5b083")
        + marks
        + _p("M385 306l14 30 32 4-24 22 7 32-29-16-29 16 7-32-24-22 32-4z", t.paper)
    )


def bear(t: Tones, v: int) -> str:
    ears = (
        "".join(_c(x, 190, 58, t.dark) + _c(x, 192, 30, t.partner) for x in (290, 510))
        if v % 2 == 0
        else "".join(_e(x, 150, 40, 110, t.dark) + _e(x, 156, 20, 78, t.glow) for x in (330, 470))
    )
    return (
        _shadow(220, 656)
        + ears
        + _e(250, 470, 52, 100, t.dark, ' transform="rotate(24 250 470)"')
        + _e(550, 470, 52, 100, t.dark, ' transform="rotate(-24 550 470)"')
        + _e(400, 514, 150, 146, t.body)
        + _e(400, 530, 92, 96, t.glow)
        + _c(400, 284, 150, t.body)
        + _c(290, 634, 60, t.dark)
        + _c(510, 634, 60, t.dark)
        + _c(290, 640, 32, t.glow)
        + _c(510, 640, 32, t.glow)
        + _e(400, 330, 68, 54, t.glow)
        + _e(400, 306, 24, 17, t.ink)
        + _line("M400 322v22q-18 20-34 8M400 344q18 20 34 8", t.ink, 6)
        + _c(340, 268, 14, t.ink)
        + _c(460, 268, 14, t.ink)
    )


def puzzle(t: Tones, v: int) -> str:
    first, second = (t.light, t.dark) if v % 2 else (t.dark, t.glow)
    return (
        _shadow(250, 650)
        + _p("M190 430h198v210H190z", first)
        + _p("M392 430h198v210H392z", t.partner)
        + _c(412, 536, 36, first)
        + _p("M190 228h198v198H190z", t.body)
        + _c(410, 326, 36, t.body)
        + _c(290, 446, 36, t.dark if v % 2 else t.light)
        + _c(490, 410, 36, t.partner)
        + _p("M452 152h198v198h-70a36 36 0 1 0-56 0h-72v-70a36 36 0 1 0 0-56z", second)
        + _p("M190 228h198v14H190zM452 152h198v14H452z", _WHITE, _SHINE)
    )


def car(t: Tones, v: int) -> str:
    if v % 2:
        body = (
            _p("M128 300q0-30 30-30h300v270H128z", t.glow)
            + _p("M128 300q0-30 30-30h300v60H128z", t.partner)
            + _p("M458 320h98q20 0 30 16l64 92q12 16 12 36v76H458z", t.body)
            + _p("M490 350h62q10 0 16 8l46 66H490z", t.deep)
        )
    else:
        body = (
            _p(
                "M106 470q0-50 54-56l66-8 72-100q18-26 50-26h152q30 0 50 22l84 96 46 10q42 10 42 52v80H106z",
                t.body,
            )
            + _p("M262 404l58-80q10-14 28-14h44v94zM416 310h78q16 0 26 12l72 82H416z", t.glow)
            + _p("M106 470q0-20 12-34h52q14 0 14 18t-14 18z", t.partner)
        )
    wheels = "".join(
        _c(x, 556, 68, t.ink) + _c(x, 556, 36, t.wood) + _c(x, 556, 12, t.paper) for x in (238, 566)
    )
    return _shadow(310, 622) + body + _r(96, 520, 608, 34, 17, t.dark) + wheels


def ball(t: Tones, v: int) -> str:
    if v % 3 == 0:
        seams = _line("M400 190v440M180 410h440M250 250q140 160 0 320M550 250q-140 160 0 320", t.deep, 9)
    elif v % 3 == 1:
        seams = (
            _p("M400 340l74 54-28 86h-92l-28-86z", t.deep)
            + _p(
                "M400 190l60 30-60 44-60-44zM188 360l64-36 26 70-52 50zM612 360l-64-36-26 70 52 50zM280 594l26-72 72 2 14 74zM520 594l-26-72-72 2-14 74z",
                t.deep,
            )
            + _line("M400 264v76M474 394l48 0M446 480l48 42M354 480l-48 42M326 394h-48", t.deep, 6)
        )
    else:
        seams = _p("M206 308q194 110 388 0l18 40q-212 124-424 0z", t.paper, ' fill-opacity=".8"') + _p(
            "M188 472q212-124 424 0l-18 40q-194-110-388 0z", t.partner
        )
    return (
        _shadow(190, 640)
        + _c(400, 410, 222, t.body)
        + f'<clipPath id="c"><circle cx="400" cy="410" r="222"/></clipPath><g clip-path="url(#c)">{seams}'
        + _p("M400 632a222 222 0 0 0 222-222q-60 170-222 180T190 480q50 152 210 152z", _BLACK, _FAINT)
        + "</g>"
        + _e(320, 290, 62, 36, _WHITE, ' fill-opacity=".35" transform="rotate(-36 320 290)"')
    )


def dumbbell(t: Tones, v: int) -> str:
    if v % 2:
        return (
            _shadow(200, 650)
            + _line("M318 336q-34-170 82-170t82 170", t.ink, 46)
            + _line("M330 300q-16-112 60-116", _WHITE, 7, ' stroke-opacity=".4"')
            + _c(400, 470, 176, t.body)
            + _c(400, 470, 100, t.dark)
            + _c(400, 470, 68, t.partner)
            + _p("M258 420a150 150 0 0 1 80-90l8 14a130 130 0 0 0-68 82z", _WHITE, _SHINE)
        )
    return (
        _shadow(290, 566)
        + _r(250, 384, 300, 44, 14, t.metal)
        + "".join(_r(x, 384, 10, 44, 0, _BLACK, _FAINT) for x in range(330, 480, 26))
        + "".join(
            _r(x, 294, 74, 224, 22, t.dark) + _r(x - 62 if x < 400 else x + 62, 256, 74, 300, 26, t.body)
            for x in (198, 528)
        )
        + "".join(_r(x, 286, 14, 240, 7, _WHITE, _SHINE) for x in (150, 606))
        + "".join(_r(x, 374, 36, 64, 12, t.ink) for x in (108, 656))
    )


def tent(t: Tones, v: int) -> str:
    return (
        _shadow(330, 622)
        + _line("M120 600l-48 24M680 600l48 24", t.wood, 10)
        + _p("M400 186L96 612h608z", t.body)
        + _p("M400 186l96 426h208z", t.dark)
        + _p("M400 186L284 612h212z", t.deep)
        + _p("M400 186l-116 426h60q74-200 56-426z", t.light)
        + _p("M400 186l96 426h-34q-66-200-62-426z", t.base)
        + _line("M400 186v-38", t.wood, 12)
        + _p("M400 140l52 16-52 18z", t.partner)
        + (_line("M176 500h84M216 444h70", t.glow, 9) if v % 2 else _c(210, 546, 20, t.partner))
    )


def flask(t: Tones, v: int) -> str:
    decoration = (
        _r(304, 430, 192, 96, 0, t.partner, ' fill-opacity=".9"'),
        _line("M304 470q24-30 48 0t48 0 48 0 48 0", t.glow, 12),
        _p("M304 560h192v40q0 44-44 44H348q-44 0-44-44z", t.dark),
    )[v % 3]
    return (
        _shadow(150, 650)
        + _line("M400 112q56-42 56 34" if v % 2 else "M356 130q0-44 44-44t44 44", t.deep, 16)
        + _r(342, 126, 116, 90, 20, t.ink)
        + _r(352, 206, 96, 34, 0, t.metal)
        + _p("M352 232h96q48 40 48 110v258q0 48-48 48h-96q-48 0-48-48V342q0-70 48-110z", t.body)
        + decoration
        + _p("M330 320q0-30 12-46l14 6v330q-26-6-26-36z", _WHITE, _SHINE)
    )


def mat(t: Tones, v: int) -> str:
    return (
        _shadow(310, 616)
        + _p("M250 470h400q40 0 50 30l22 66q8 30-24 30H250z", t.light)
        + _p("M250 560h470q4 36-24 36H250z", t.dark)
        + _r(120, 396, 400, 200, 100, t.body)
        + _c(220, 496, 100, t.dark)
        + _c(220, 496, 74, t.base)
        + _c(220, 496, 48, t.dark)
        + _c(220, 496, 22, t.glow)
        + "".join(
            _r(x, 396, 26, 200, 0, t.partner, ' fill-opacity=".9"') for x in ((400, 448) if v % 2 else (424,))
        )
        + _line("M330 420h60", t.glow, 10)
    )


def cream(t: Tones, v: int) -> str:
    return (
        _shadow(220, 622)
        + _p("M212 396h376v150q0 70-70 70H282q-70 0-70-70z", t.glow)
        + _p("M212 396h376v150q0 70-70 70H282q-70 0-70-70z", t.base, ' fill-opacity=".45"')
        + _r(292, 440, 216, 110, 10, t.paper)
        + _r(330, 470, 140, 14, 7, t.deep)
        + _r(356, 502, 88, 10, 5, t.dark)
        + _r(196, 282, 408, 120, 26, t.wood if v % 2 else t.body)
        + _e(400, 288, 196, 26, _WHITE, ' fill-opacity=".28"')
        + _p("M230 410h20v150q-20-10-20-40z", _WHITE, ' fill-opacity=".6"')
    )


def perfume(t: Tones, v: int) -> str:
    glass = _r(238, 310, 324, 330, 40, t.glow) if v % 2 else _c(400, 470, 176, t.glow)
    liquid = (
        _p("M258 430h284v170q0 22-22 22H280q-22 0-22-22z", t.body)
        if v % 2
        else _p("M246 440h308q10 186-154 188T246 440z", t.body)
    )
    return (
        _shadow(190, 646)
        + glass
        + liquid
        + _r(360, 256, 80, 60, 6, t.metal)
        + _r(336, 150, 128, 116, 18, t.ink if v % 3 else t.wood)
        + _r(352, 162, 18, 92, 9, _WHITE, _SHINE)
        + _r(338, 474, 124, 84, 6, t.paper)
        + _r(362, 502, 76, 10, 5, t.deep)
        + _r(376, 524, 48, 8, 4, t.dark)
        + _r(276, 400, 18, 170, 9, _WHITE, ' fill-opacity=".5"')
    )


def soap(t: Tones, v: int) -> str:
    return (
        _shadow(270, 624)
        + _p("M150 556h500q0 60-70 60H220q-70 0-70-60z", t.wood)
        + _p("M150 556h500v14H150z", _WHITE, _SHINE)
        + _r(184, 444, 432, 118, 54, t.dark)
        + _r(184, 428, 432, 112, 54, t.body)
        + _r(230, 330, 340, 104, 48, t.glow)
        + _r(230, 400, 340, 36, 18, _BLACK, ' fill-opacity=".08"')
        + (
            _r(368, 322, 64, 222, 0, t.partner, ' fill-opacity=".85"')
            if v % 2
            else _e(400, 378, 88, 24, t.base, ' fill-opacity=".6"')
        )
        + "".join(
            _c(x, y, r, _WHITE, ' fill-opacity=".7"')
            for x, y, r in ((560, 286, 24), (606, 336, 15), (528, 246, 12))
        )
    )


def tube(t: Tones, v: int) -> str:
    if v % 2:
        return (
            _shadow(150, 654)
            + _line("M400 250v-72h-74", t.ink, 26)
            + _r(352, 240, 96, 46, 10, t.ink)
            + _r(282, 278, 236, 370, 44, t.body)
            + _r(312, 390, 176, 160, 10, t.paper)
            + _r(340, 424, 120, 14, 7, t.deep)
            + _r(356, 456, 88, 10, 5, t.dark)
            + _c(400, 508, 16, t.partner)
            + _r(300, 306, 16, 310, 8, _WHITE, _SHINE)
        )
    return (
        _shadow(140, 664)
        + _r(330, 574, 140, 86, 14, t.ink)
        + _p("M272 150h256l-40 424H312z", t.body)
        + _r(264, 128, 272, 40, 6, t.dark)
        + _r(340, 280, 120, 12, 6, t.glow)
        + _r(340, 308, 84, 10, 5, t.glow, ' fill-opacity=".7"')
        + _c(400, 424, 40, t.partner)
        + _p("M300 180h24l14 380h-12z", _WHITE, _SHINE)
    )


def plant(t: Tones, v: int) -> str:
    green, lighter, deeper = ("#5f8f5c", "#86b07a", "#3f6b48") if v % 2 else ("#4f8a6b", "#79ab8b", "#336650")
    if v % 3 == 0:
        leaves = "".join(
            _p("M400 450Q330 300 400 130q70 170 0 320z", fill, f' transform="rotate({angle} 400 460)"')
            for angle, fill in ((-58, deeper), (58, deeper), (-32, green), (32, green), (0, lighter))
        )
    elif v % 3 == 1:
        leaves = _line("M400 460V230M400 400q-80-20-110-90M400 370q80-20 110-90", deeper, 10) + "".join(
            _e(x, y, 74, 50, fill, f' transform="rotate({angle} {x} {y})"')
            for x, y, angle, fill in (
                (400, 190, 90, green),
                (276, 268, 50, lighter),
                (526, 244, -48, lighter),
                (300, 390, 20, deeper),
                (504, 372, -20, green),
            )
        )
    else:
        leaves = (
            _r(338, 190, 124, 280, 62, green)
            + _r(246, 290, 70, 130, 35, deeper)
            + _r(262, 366, 100, 54, 27, deeper)
            + _r(484, 250, 66, 120, 33, lighter)
            + _r(440, 318, 92, 52, 26, lighter)
            + _line("M370 240v200M400 220v220M430 240v200", lighter, 6, ' stroke-dasharray="3 22"')
            + _c(400, 188, 24, t.partner)
        )
    return (
        _shadow(170, 654)
        + leaves
        + _p("M268 468h264l-34 154q-6 28-34 28H336q-28 0-34-28z", t.body)
        + _r(252, 438, 296, 54, 14, t.light)
        + _r(252, 474, 296, 18, 9, _BLACK, _FAINT)
    )


def can(t: Tones, v: int) -> str:
    return (
        _shadow(270, 634)
        + _line(
            "M500 340q130-60 130 60t-120 150"
            if v % 2
            else "M300 310V240q0-44 44-44h120q44 0 44 44v70M504 380q104-20 104 70t-100 100",
            t.dark,
            26,
        )
        + _p("M300 520L176 336l-30 20 128 236z", t.dark)
        + _p("M110 362l92-62 18 28-92 62z", t.light)
        + _p("M276 306h248l28 296q2 30-28 30H276q-30 0-28-30z", t.body)
        + _e(400, 306, 124, 26, t.light)
        + _e(400, 310, 106, 18, t.deep)
        + _p("M288 350h28l-12 260h-34z", _WHITE, _SHINE)
        + "".join(
            _p(f"M{x} {y}q-12 18 0 28 12-10 0-28z", "#8fc0d6") for x, y in ((104, 420), (134, 462), (96, 500))
        )
    )


def trowel(t: Tones, v: int) -> str:
    if v % 2:
        tool = (
            _line("M334 120v130q0 76 66 76t66-76V120M400 104v370", t.metal, 24)
            + _r(362, 430, 76, 250, 36, t.body)
            + _r(362, 430, 76, 40, 14, t.deep)
            + _r(378, 490, 14, 160, 7, _WHITE, _SHINE)
            + _c(400, 650, 10, t.deep)
        )
    else:
        tool = (
            _r(386, 370, 28, 120, 8, "#9aa0a3")
            + _p("M400 92q92 60 84 200-6 100-84 110-78-10-84-110-8-140 84-200z", t.metal)
            + _p("M400 92q92 60 84 200-6 100-84 110z", _BLACK, _FAINT)
            + _r(362, 470, 76, 220, 36, t.body)
            + _r(362, 470, 76, 34, 10, t.deep)
            + _r(378, 520, 14, 140, 7, _WHITE, _SHINE)
            + _c(400, 662, 10, t.deep)
        )
    return _shadow(200, 704) + f'<g transform="rotate(18 400 400)">{tool}</g>'


def pen(t: Tones, v: int) -> str:
    def one(turn: int, body: str, clip: str) -> str:
        return (
            f'<g transform="rotate({turn} 400 400)">'
            + _p("M376 600h48l-24 88z", t.ink if v % 2 else t.metal)
            + _r(366, 180, 68, 424, 14, body)
            + _p("M366 120q0-20 34-20t34 20v200h-68z", clip)
            + _r(366, 312, 68, 14, 0, t.metal)
            + _r(424, 140, 18, 150, 8, t.metal)
            + _r(378, 340, 12, 250, 6, _WHITE, _SHINE)
            + "</g>"
        )

    return _shadow(250, 690) + one(-24, t.partner, t.ink) + one(26, t.body, t.dark)


def notebook(t: Tones, v: int) -> str:
    return (
        _shadow(230, 672)
        + _r(222, 142, 372, 520, 22, "#e9e3d6")
        + _r(222, 134, 372, 520, 22, t.paper)
        + _r(212, 124, 372, 520, 22, t.body)
        + (
            _r(212, 124, 70, 520, 22, t.dark)
            if v % 2
            else "".join(_r(196, y, 46, 16, 8, t.metal) for y in range(160, 630, 44))
        )
        + _r(522, 124, 20, 520, 0, t.deep)
        + _r(320, 230, 150, 92, 8, t.paper)
        + _r(344, 258, 102, 10, 5, t.dark)
        + _r(344, 282, 70, 8, 4, t.light)
        + _p("M420 644h32v66l-16-14-16 14z", t.partner)
    )


def tray(t: Tones, v: int) -> str:
    return (
        _shadow(270, 632)
        + '<g transform="rotate(-8 300 300)">'
        + _r(266, 180, 30, 260, 6, t.partner)
        + _p("M266 180l15-46 15 46z", t.wood)
        + "</g>"
        + _r(330, 200, 26, 240, 12, t.ink)
        + '<g transform="rotate(9 400 300)">'
        + _r(392, 214, 40, 220, 4, "#e0c184")
        + "</g>"
        + _r(470, 300, 150, 160, 6, t.paper)
        + _line("M492 334h104M492 362h80", "#cfc8b8", 7)
        + _p("M168 470h464v132q0 28-28 28H196q-28 0-28-28z", t.dark)
        + _p("M196 390h230v240H196q-28 0-28-28V418q0-28 28-28z", t.body)
        + _p("M426 452h178q28 0 28 28v122q0 28-28 28H426z", t.light)
        + (_c(296, 514, 22, t.deep) if v % 2 else _r(252, 500, 88, 26, 13, t.deep))
        + _r(476, 530, 106, 22, 11, t.dark)
    )


def pouch(t: Tones, v: int) -> str:
    return (
        _shadow(200, 668)
        + _p("M250 150h300l18 40q22 60 22 120v320q0 32-32 32H242q-32 0-32-32V310q0-60 22-120z", t.body)
        + _p("M250 150h300l14 32H236z", t.deep)
        + _line("M250 200h300", t.dark, 6)
        + _p("M520 200q34 60 34 130v330q36 0 36-30V310q0-60-22-110z", _BLACK, _FAINT)
        + _r(276, 300, 248, 250, 14, t.paper)
        + (
            _e(400, 392, 46, 62, "#6b4630", ' transform="rotate(30 400 392)"')
            + _line("M372 440q34-38 20-50t34-48", "#d9bfa5", 7)
            if v % 2
            else _c(400, 392, 58, t.partner) + _p("M342 392a58 58 0 0 0 116 0z", t.deep)
        )
        + _r(324, 480, 152, 13, 6, t.deep)
        + _r(352, 508, 96, 10, 5, t.dark)
        + _c(400, 244, 14, t.deep)
        + _p("M240 230h16v390h-16z", _WHITE, _SHINE)
    )


def tin(t: Tones, v: int) -> str:
    return (
        _shadow(190, 656)
        + _p("M236 270h328v340q0 40-164 40t-164-40z", t.body)
        + _p("M236 350h328v180q-164 40-328 0z", t.paper, ' fill-opacity=".92"')
        + _p(
            "M400 392q60 18 60 66t-60 50q-60-2-60-50t60-66z"
            if v % 2
            else "M340 470q10-80 130-80-10 90-92 96-26 2-38-16z",
            "#6f9a68",
        )
        + _line("M400 400v104" if v % 2 else "M336 496q50-70 110-90", "#466b49", 6)
        + _p("M222 220q0-40 178-40t178 40v50q0 40-178 40t-178-40z", t.dark)
        + _e(400, 218, 178, 40, t.light)
        + _e(400, 214, 60, 14, t.dark)
        + _p("M262 310q12 6 24 8v310q-16-4-24-10z", _WHITE, _SHINE)
    )


def jar(t: Tones, v: int) -> str:
    inside = ("#d9962b", "#a8323e", "#c8642c", "#6d2f4f")[v % 4]
    return (
        _shadow(190, 652)
        + _r(232, 240, 336, 408, 66, "#ffffff", ' fill-opacity=".55"')
        + _r(246, 282, 308, 352, 54, inside)
        + _r(246, 282, 308, 40, 20, _WHITE, ' fill-opacity=".25"')
        + _r(232, 380, 336, 170, 0, t.paper)
        + _c(400, 440, 34, t.base)
        + _p("M400 406q16-34 44-30-8 32-44 30z", "#6f9a68")
        + _r(340, 494, 120, 12, 6, t.deep)
        + _r(362, 520, 76, 9, 4, t.dark)
        + _p("M240 190q160-34 320 0l28 72q-188 30-376 0z", t.body)
        + _p("M236 236h328v22q-164 20-328 0z", t.dark)
        + _r(258, 270, 18, 340, 9, _WHITE, ' fill-opacity=".5"')
    )


def bar(t: Tones, v: int) -> str:
    squares = "".join(
        _r(x, y, 82, 70, 10, "#6e4530") + _r(x + 8, y + 7, 66, 52, 7, "#7f5239")
        for x in (312, 402)
        for y in (110, 188, 266)
    )
    return (
        _shadow(190, 690)
        + '<g transform="rotate(10 400 400)">'
        + _r(300, 98, 196, 400, 14, "#5a3626")
        + squares
        + _p("M284 330l26 18 26-18 26 18 26-18 26 18 26-18 26 18 26-18 24 14v330H284z", t.metal)
        + _p("M276 380h252v290q0 14-14 14H290q-14 0-14-14z", t.body)
        + (_c(402, 480, 50, t.partner) if v % 2 else _p("M402 420l56 60-56 60-56-60z", t.partner))
        + _r(330, 566, 144, 13, 6, t.glow)
        + _r(356, 594, 92, 10, 5, t.glow, ' fill-opacity=".7"')
        + _p("M288 390h18v284h-16z", _WHITE, _SHINE)
        + "</g>"
    )


def oil(t: Tones, v: int) -> str:
    glass = "#4f6b3c" if v % 2 else "#c9a23e"
    return (
        _shadow(150, 662)
        + _r(364, 90, 72, 74, 10, t.ink)
        + _p(
            "M368 156h64v110q0 36 40 64 34 24 34 70v214q0 44-44 44H338q-44 0-44-44V400q0-46 34-70 40-28 40-64z",
            glass,
        )
        + _p(
            "M432 156v110q0 36 40 64 34 24 34 70v214q0 44-44 44h-36q30-10 30-60V400q0-60-30-80t-30-60V156z",
            _BLACK,
            _FAINT,
        )
        + _r(294, 420, 212, 160, 0, t.paper)
        + _r(294, 420, 212, 18, 0, t.base)
        + _p(
            "M400 462q34 4 34 36t-34 34q-34-2-34-34t34-36z" if v % 3 else "M352 500q48-50 96 0-48 50-96 0z",
            t.base,
        )
        + _r(350, 548, 100, 10, 5, t.deep)
        + _r(316, 380, 14, 250, 7, _WHITE, _SHINE)
    )


def cartridge(t: Tones, v: int) -> str:
    return (
        _shadow(230, 622)
        + _p("M190 360h420q18 0 18 18v196q0 42-42 42H214q-42 0-42-42V378q0-18 18-18z", t.ink)
        + _p("M230 268h250q22 0 22 22v70H208v-70q0-22 22-22z", "#43474d")
        + _r(540, 316, 62, 50, 10, "#43474d")
        + _r(172, 430, 456, 116, 0, t.body)
        + _c(252, 488, 30, t.paper)
        + _p("M252 462q22 26 22 36a22 20 0 0 1-44 0q0-10 22-36z", t.deep)
        + _r(312, 468, 200, 14, 7, t.paper)
        + _r(312, 496, 130, 11, 5, t.glow)
        + (_r(236, 290, 90, 14, 7, t.metal) if v % 2 else _r(360, 286, 110, 44, 8, t.deep))
        + _p("M190 378h24v236q-24-6-24-40z", _WHITE, _FAINT)
    )


def printer(t: Tones, v: int) -> str:
    return (
        _shadow(280, 632)
        + _p("M256 170h260l38 38v160H256z", t.paper)
        + _p("M516 170l38 38h-38z", "#d8d2c4")
        + _line("M296 226h180M296 262h180M296 298h120", "#cfc8b8", 9)
        + _r(150, 330, 500, 268, 40, t.body)
        + _p("M150 400q0-70 60-70h380q60 0 60 70z", t.light)
        + _r(216, 452, 368, 40, 12, t.ink)
        + _p("M244 474h312l34 138H210z", t.paper)
        + (_r(276, 510, 248, 62, 6, t.partner) if v % 2 else _line("M276 516h248M268 548h180", "#cfc8b8", 9))
        + _r(500, 358, 106, 36, 8, t.ink)
        + _c(196, 376, 12, t.partner)
    )


def chip(t: Tones, v: int) -> str:
    if v % 2:
        return (
            _shadow(290, 560)
            + _p("M110 290h580v196H420v22h-32v-22H110z", t.body)
            + _p("M110 486h278v30H128q-18 0-18-18zM420 486h270v12q0 18-18 18H420z", "#d6b25a")
            + _line("M132 500h240M440 500h236", t.deep, 14, ' stroke-dasharray="3 17"')
            + "".join(_r(x, 330, 96, 110, 8, t.ink) for x in (150, 272, 434, 556))
            + _p("M110 290h580v14H110z", _WHITE, _SHINE)
        )
    pins = "".join(f"M{x} 196v408M196 {x}h408" for x in range(268, 560, 44))
    return (
        _shadow(210, 640)
        + _line(pins, "#d6b25a", 16)
        + _r(226, 226, 348, 348, 26, t.dark)
        + _r(226, 226, 348, 338, 26, t.body)
        + _r(292, 292, 216, 216, 18, t.metal)
        + _p("M310 292h110L292 440V310q0-18 18-18z", _WHITE, ' fill-opacity=".4"')
        + _c(478, 478, 10, t.deep)
    )


def router(t: Tones, v: int) -> str:
    lights = "".join(_c(x, 540, 9, t.partner if x % 3 else t.glow) for x in (220, 260, 300, 340))
    aerials = "" if v % 2 else _line("M224 460l-40-250M576 460l40-250M400 460V190", t.ink, 22)
    return (
        _shadow(300, 620)
        + aerials
        + _p("M190 440h420l60 60H130z", t.light)
        + _r(130, 486, 540, 120, 26, t.body)
        + _r(130, 570, 540, 36, 18, _BLACK, _FAINT)
        + lights
        + "".join(_r(x, 520, 42, 38, 6, t.ink) for x in range(400, 630, 52))
        + _line("M300 466h200", t.dark, 8)
    )


def ornament(t: Tones, v: int) -> str:
    if v % 2:
        return (
            _shadow(150, 690)
            + _line("M400 300q-40-90 0-150t0-70", t.wood, 8)
            + _p(
                "M400 620Q180 470 180 350q0-110 106-110 80 0 114 76 34-76 114-76 106 0 106 110 0 120-220 270z",
                t.body,
            )
            + _p("M240 300q20-34 66-34-50 26-50 90-10 10-20 0-8-30 4-56z", _WHITE, _SHINE)
            + _c(400, 312, 12, t.deep)
        )
    return (
        _shadow(150, 690)
        + _line("M400 220q-30-50 0-90t0-50", t.wood, 8)
        + _r(364, 204, 72, 58, 12, "#d6b25a")
        + _c(400, 440, 190, t.body)
        + _p("M214 406q186 90 372 0l4 56q-190 96-380 0z", t.partner)
        + _dots((446,), 270, 65, 5, 22, t.paper, ".9")
        + _e(326, 334, 46, 28, _WHITE, ' fill-opacity=".4" transform="rotate(-36 326 334)"')
    )


def frame(t: Tones, v: int) -> str:
    return (
        _shadow(220, 676)
        + _r(198, 130, 404, 536, 10, t.deep)
        + _r(198, 124, 404, 532, 10, t.wood if v % 3 == 0 else t.body)
        + _r(226, 152, 348, 476, 2, t.paper)
        + _picture(t, v, 274, 208, 252, 364)
        + _p("M226 152h160L226 440z", _WHITE, _SHINE)
    )


def box(t: Tones, v: int) -> str:
    return (
        _shadow(270, 652)
        + _p("M400 220l246 96-246 100-246-100z", "#d9b98a")
        + _p("M154 316l246 100v236L154 544z", "#c9a270")
        + _p("M646 316L400 416v236l246-108z", "#a98353")
        + _p("M262 262l246 98v74l-48 20v-74L214 282z", t.base)
        + _p("M460 380l48-20v74l-48 20z", t.dark)
        + (
            _p("M196 470l70 28v52l-70-28z", t.paper, ' fill-opacity=".85"')
            if v % 2
            else _line("M200 500l60 24M200 524l36 14", "#8d6b43", 8)
        )
    )


SILHOUETTES: dict[str, Callable[[Tones, int], str]] = {
    drawing.__name__: drawing
    for drawing in (
        monitor, laptop, phone, case, charger, headphones, speaker, camera, watch,
        mug, pan, kettle, lamp, chair, cushion, towel, book,
        shirt, hoodie, trousers, shoe, hat, bag, block, bear, puzzle, car,
        ball, dumbbell, tent, flask, mat, cream, perfume, soap, tube, plant, can, trowel,
        pen, notebook, tray, cartridge, printer, chip, router, ornament, frame, pouch, tin, jar, bar, oil, box,
    )
}  # fmt: skip
