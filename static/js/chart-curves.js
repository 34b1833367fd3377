// What is done to a line before it is drawn: smoothing, and thinning as it grows.

const THIN_FROM = 4000; // points of one line in the page; above, it is thinned to THIN_TO
const THIN_TO = 1600;
const FEW = 40; // so short a line is drawn as it is: each of its points is a mean of many rows already
const FINEST = 1000;

/**
 * Exponential moving average with its start corrected (Kingma and Ba 2015, section 3): without that, the first values would be pulled to 0.
 * Points lie unevenly once a line was thinned, so the weight of the past falls with the distance on the axis, not with the number of points.
 */
export function smooth(xs, ys, weight) {
  if (!weight || xs.length < FEW || typeof xs[0] !== "number") return ys;
  const unit = (xs.at(-1) - xs[0]) / Math.min(FINEST, xs.length - 1) || 1;
  let sum = 0;
  let total = 0;
  let before = xs[0];
  return ys.map((y, at) => {
    if (!Number.isFinite(y)) return y;
    const kept = weight ** Math.max((xs[at] - before) / unit, at === 0 ? 1 : 0);
    before = xs[at];
    sum = sum * kept + y * (1 - kept);
    total = total * kept + (1 - kept);
    return total ? sum / total : y;
  });
}

/** Keeps a line short in place: of each of equal stretches of the axis the first, the last, the lowest and the highest point stay. */
export function thin(line, from = THIN_FROM, to = THIN_TO) {
  if (line.x.length <= from) return;
  const [first, last] = [line.x[0], line.x.at(-1)];
  const width = (last - first) / (to / 4) || 1;
  const stretches = new Map();
  line.x.forEach((x, at) => {
    const stretch = Math.floor((x - first) / width);
    const seen = stretches.get(stretch);
    if (!seen) stretches.set(stretch, { first: at, last: at, low: at, high: at });
    else {
      seen.last = at;
      if (line.y[at] < line.y[seen.low]) seen.low = at;
      if (line.y[at] > line.y[seen.high]) seen.high = at;
    }
  });
  const kept = [...new Set([...stretches.values()].flatMap((one) => Object.values(one)))].sort((a, b) => a - b);
  line.x = kept.map((at) => line.x[at]);
  line.y = kept.map((at) => line.y[at]);
}
