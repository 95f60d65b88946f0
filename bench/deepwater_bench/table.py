"""Tables of text, and how figures are written in them."""


class Table:
    """Rows of text; the first column leans left, the others right."""

    def __init__(self, title, head):
        self.title, self.rows = title, [head]

    def add(self, *cells):
        self.rows.append([str(cell) for cell in cells])

    def text(self):
        widths = [max(map(len, column)) for column in zip(*self.rows)]
        lines = [f"\n{self.title}"]
        for index, row in enumerate(self.rows):
            cells = [row[0].ljust(widths[0])] + [cell.rjust(width) for cell, width in zip(row[1:], widths[1:])]
            lines.append("  " + "  ".join(cells).rstrip())
            if index == 0:
                lines.append("  " + "  ".join("-" * width for width in widths))
        return "\n".join(lines)

    def markdown(self):
        head, *rows = self.rows
        lines = [f"**{self.title}**", "", _bar(head), _bar(["---"] + ["--:"] * (len(head) - 1))]
        return "\n".join(lines + [_bar(row) for row in rows])


def _bar(cells):
    return "| " + " | ".join(cells) + " |"


def number(value, digits=1):
    """With thousands separated; a dash for what was not measured."""
    return "–" if value is None else f"{value:,.{digits}f}"


def times(value):
    """A ratio."""
    return "–" if value is None else f"{value:.2f}"


def latency(us):
    """Microseconds in the unit that suits them."""
    return f"{us / 1000:.2f} ms" if us >= 1000 else f"{us:.0f} µs"
