const BARS = 48;

/** How many requests fell into each of 48 equal spans between the first and the last. */
export function spans(times: string[], now = Date.now()): { counts: number[]; from: number; to: number } {
  const all = times.map((at) => new Date(at).getTime()).filter((at) => Number.isFinite(at));
  const from = Math.min(...all);
  const to = Math.max(now, from + 60_000);
  const counts = new Array<number>(BARS).fill(0);
  for (const at of all) {
    const bar = Math.min(BARS - 1, Math.floor(((at - from) / (to - from)) * BARS));
    counts[bar] = (counts[bar] ?? 0) + 1;
  }
  return { counts, from, to };
}
