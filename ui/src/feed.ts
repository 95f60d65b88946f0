/** Seconds of answers a feed keeps: the longest window a rate is taken over. */
const KEPT_MS = 15_000;

interface Sample {
  at: number;
  value: unknown;
}

/** The answers of one page of the API over the last seconds. Times are monotonic milliseconds. */
export class Feed {
  private samples: Sample[] = [];
  private warm = false;

  push(value: unknown, at: number): void {
    // The first answer is shown, but no rate starts from it: the browser was still drawing the page, or the
    // server just began, and took its time.
    if (!this.warm && this.samples.length > 0) {
      this.samples = [];
      this.warm = true;
    }
    this.samples.push({ value, at });
    while (this.samples[0] && this.samples[0].at < at - KEPT_MS) this.samples.shift();
  }

  clear(): void {
    this.samples = [];
    this.warm = false;
  }

  get latest(): Sample | undefined {
    return this.samples.at(-1);
  }

  /**
   * Growth per second of a cumulative number over the last `window` milliseconds; `undefined` until two
   * answers are known, and when the number fell because the server counts anew.
   */
  rate<T>(read: (value: T) => number | undefined, window: number): number | undefined {
    const last = this.latest;
    if (!last) return undefined;
    // Half a second of tolerance: answers do not arrive on the dot.
    const first = this.samples.find((sample) => sample.at >= last.at - window - 500);
    if (!first || first === last) return undefined;
    const [before, now] = [read(first.value as T), read(last.value as T)];
    if (before === undefined || now === undefined || now < before) return undefined;
    return (now - before) / ((last.at - first.at) / 1_000);
  }
}
