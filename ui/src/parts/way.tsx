/** Room behind the last mark, as a share of the scale. */
const BEYOND = 1.04;

/**
 * The way to a cliff, from nothing to its end: how much of it is behind us, where we are, and where the end is, with
 * its range when it is a forecast. Each mark has a shape of its own, which the key below repeats.
 */
export function Way(props: {
  label: string;
  level: string;
  now: number;
  end: number;
  range?: { low: number; high: number };
  show: (value: number) => string;
}) {
  const { label, level, now, end, range, show } = props;
  const scale = Math.max(now, end, range?.high ?? 0) * BEYOND;
  const at = (value: number) => `${((Math.max(value, 0) / scale) * 100).toFixed(2)}%`;
  const spread = range && `${show(range.low)} to ${show(range.high)}`;
  return (
    <div class={`way level-${level}`}>
      <div
        class="track"
        role="img"
        aria-label={`${label}: now ${show(now)}, the end at ${show(end)}${spread ? `, or anywhere from ${spread}` : ""}`}
      >
        <i class="done" style={{ width: at(now) }} />
        {range && <i class="range" style={{ left: at(range.low), width: at(range.high - range.low) }} />}
        <i class="end" style={{ left: at(end) }} />
        <i class="now" style={{ left: at(now) }} />
      </div>
      <dl aria-hidden="true">
        <div>
          <dt>
            <i class="now" /> now
          </dt>
          <dd>{show(now)}</dd>
        </div>
        <div>
          <dt>
            <i class="end" /> the end
          </dt>
          <dd>{show(end)}</dd>
        </div>
        {spread && (
          <div>
            <dt>
              <i class="range" /> its range
            </dt>
            <dd>{spread}</dd>
          </div>
        )}
      </dl>
    </div>
  );
}
