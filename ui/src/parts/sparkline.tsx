const [WIDTH, HEIGHT] = [100, 24];

/** The shape of a signal, from zero to its highest point; decoration beside the number itself. */
export function Sparkline({ values, points }: { values: (number | null)[]; points: number }) {
  const top = Math.max(...values.map((value) => value ?? 0), Number.MIN_VALUE);
  const step = WIDTH / (points - 1);
  const offset = points - values.length;
  let [line, pen] = ["", "M"];
  values.forEach((value, position) => {
    if (value === null) {
      pen = "M";
      return;
    }
    const [x, y] = [(offset + position) * step, HEIGHT - 1 - (value / top) * (HEIGHT - 2)];
    line += `${pen}${x.toFixed(1)} ${y.toFixed(1)}`;
    pen = "L";
  });
  return (
    <svg class="sparkline" viewBox={`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" aria-hidden="true">
      <path d={line} />
    </svg>
  );
}
