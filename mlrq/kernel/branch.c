/* What mlrq/kernel/branch.py says, to the last bit: branch and bound over integer codes and one scale.
 *
 * Names and order of operations are those of the twin, which explains them. Vectors of the undecided codes are
 * worked on element by element, so that the width of the machine's vectors changes no bit.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common.h"

#define TOUCH 1e-10
#define GAIN 0x1p-30
#define PIVOT 1e-12
#define NOISE 1e-12
enum { MOST = 48 };

typedef struct { int64_t over, under; } pair_t;

/* The arrays of Tree and Walk, and the constraints of one cone. */
typedef struct {
  int64_t size, rank, low, high, sliding, merged, groups;
  const double *matrix, *target, *inverse, *alone, *drag, *spread, *lengths;
  double *least, *scale, *curvature, *centres, *sums, *slopes;
  const int64_t *mixing, *group;
  int64_t *codes, *up, *down, *first, *last, *bottom, *top, *starts, *ends, *tried, *topmost, *lowest, *found;
  double best, reach, slack;
  int64_t level, nodes;
  int64_t count;
  pair_t pairs[MOST];
  double *columns[MOST];
  double tilts[MOST], amounts[MOST], weights[MOST], gram[MOST][MOST], factor[MOST][MOST];
  double *place, *lows, *highs;
} search_t;

INLINE double widened(double excess, double slack) {
  double length = sqrt(excess) + slack;
  return length * length * (1.0 + 0x1p-20);
}

INLINE void leave(search_t *w, int64_t index) {
  double *kept = w->columns[index];
  for (int64_t i = index + 1; i < w->count; i++) {
    w->pairs[i - 1] = w->pairs[i];
    w->columns[i - 1] = w->columns[i];
    w->tilts[i - 1] = w->tilts[i];
    w->amounts[i - 1] = w->amounts[i];
    w->weights[i - 1] = w->weights[i];
    for (int64_t j = 0; j < index; j++) w->gram[i - 1][j] = w->gram[i][j];
    for (int64_t j = index + 1; j <= i; j++) w->gram[i - 1][j - 1] = w->gram[i][j];
  }
  w->columns[--w->count] = kept;
}

INLINE int factorize(search_t *w, int64_t changed) {
  for (int64_t i = changed; i < w->count; i++) {
    double *row = w->factor[i], value;
    for (int64_t j = 0; j < i; j++) {
      value = w->gram[i][j];
      for (int64_t h = 0; h < j; h++) value -= row[h] * w->factor[j][h];
      row[j] = value / w->factor[j][j];
    }
    value = w->gram[i][i];
    for (int64_t h = 0; h < i; h++) value -= row[h] * row[h];
    if (!(value > PIVOT * w->gram[i][i])) return 0;
    row[i] = sqrt(value);
  }
  return 1;
}

INLINE void solve(const search_t *w, double *found) {
  for (int64_t i = 0; i < w->count; i++) {
    double amount = w->amounts[i];
    for (int64_t j = 0; j < i; j++) amount -= w->factor[i][j] * found[j];
    found[i] = amount / w->factor[i][i];
  }
  for (int64_t i = w->count - 1; i >= 0; i--) {
    for (int64_t j = i + 1; j < w->count; j++) found[i] -= w->factor[j][i] * found[j];
    found[i] /= w->factor[i][i];
  }
}

/* The range of code i, whose free integers are in the given ranges. */
INLINE void merged_box(const search_t *w, const int64_t *starts, const int64_t *ends, int64_t i, int64_t *low,
                       int64_t *high) {
  const int64_t *mixing = w->mixing + i * w->merged;
  *low = w->low, *high = w->high;
  for (int64_t d = 0; d < w->merged; d++) {
    int64_t t = mixing[d];
    *low += t > 0 ? t * starts[d] : t * ends[d];
    *high += t > 0 ? t * ends[d] : t * starts[d];
  }
}

/* Ranges of the free integers that codes q.. leave of those given; 0 where one is empty. */
INLINE int narrowed(const search_t *w, int64_t q, int64_t *starts, int64_t *ends) {
  for (int64_t i = q; i < w->size; i++) {
    const int64_t *mixing = w->mixing + i * w->merged;
    int64_t least, most;
    merged_box(w, starts, ends, i, &least, &most);
    int64_t over = w->codes[i] - least, under = most - w->codes[i];
    if (over < 0 || under < 0) return 0;
    for (int64_t d = 0; d < w->merged; d++) {
      int64_t t = mixing[d], size = t > 0 ? t : -t;
      if (!t) continue;
      int64_t first = ends[d] - (t > 0 ? under : over) / size, last = starts[d] + (t > 0 ? over : under) / size;
      if (first > starts[d]) starts[d] = first;
      if (last < ends[d]) ends[d] = last;
      if (starts[d] > ends[d]) return 0;
    }
  }
  return 1;
}

/* Free integers that go with all codes, as the last of `tried`; 0 where there are none. */
static int chosen(search_t *w, int64_t place, const int64_t *starts, const int64_t *ends) {
  int64_t m = w->merged, *from = w->tried + 2 * m * place, *to = from + m;
  memcpy(from, starts, (size_t)m * sizeof *from);
  memcpy(to, ends, (size_t)m * sizeof *to);
  if (!narrowed(w, 0, from, to)) return 0;
  if (place == m) return 1;
  int64_t first = from[place], last = to[place], middle = 0 > first ? 0 : first;
  if (middle > last) middle = last;
  for (int64_t step = 0; step <= last - first; step++)
    for (int64_t side = step ? -1 : 1; side <= 1; side += 2) {
      int64_t value = middle + side * step;
      if (value < first || value > last) continue;
      from[place] = to[place] = value;
      if (chosen(w, place + 1, from, to)) return 1;
    }
  return 0;
}

/* Add the constraint at `count`, whose tilt and amount are there; its column has to follow. */
INLINE int join(search_t *w, pair_t pair, double span, double c) {
  int64_t changed = w->count++;
  double wanted[MOST], tilt = w->tilts[changed];
  w->pairs[changed] = pair;
  w->weights[changed] = 0.0;
  for (int64_t i = 0; i < changed; i++) {
    const double *other = w->columns[i];
    double value = (pair.over >= 0 ? other[pair.over] : 0.0) - (pair.under >= 0 ? other[pair.under] : 0.0);
    w->gram[changed][i] = value + (c > 0.0 ? w->tilts[i] * tilt / c : 0.0);
  }
  w->gram[changed][changed] = span + (c > 0.0 ? tilt * tilt / c : 0.0);
  int64_t made = changed; /* columns that are made: all but the newest */
  while (w->count > made) {
    if (!factorize(w, changed)) {
      leave(w, w->count - 1);
      break;
    }
    solve(w, wanted);
    double step = 1.0;
    int64_t blocking = -1;
    for (int64_t i = 0; i < w->count; i++) {
      double weight = w->weights[i], want = wanted[i];
      if (want <= 0.0 && (blocking < 0 || weight / (weight - want) < step)) {
        step = weight > want ? weight / (weight - want) : 0.0;
        blocking = i;
      }
    }
    if (blocking < 0) {
      memcpy(w->weights, wanted, (size_t)w->count * sizeof *wanted);
      return 1;
    }
    for (int64_t i = 0; i < w->count; i++) w->weights[i] += step * (wanted[i] - w->weights[i]);
    made -= blocking < made;
    leave(w, blocking);
    changed = blocking;
  }
  return 0;
}

INLINE void make_column(const search_t *w, int64_t k, pair_t pair, double *column) {
  for (int64_t i = 0; i < k; i++) column[i] = 0.0;
  for (int side = 0; side < 2; side++) {
    int64_t index = side ? pair.under : pair.over;
    if (index < 0) continue;
    for (int64_t row = index; row < k; row++) {
      const double *inverse = w->inverse + row * w->size;
      double factor = side ? -1.0 * inverse[index] : 1.0 * inverse[index];
      for (int64_t i = 0; i <= row; i++) column[i] += factor * inverse[i];
    }
  }
}

INLINE int worst(const search_t *w, int64_t k, double s, double c, const double *slopes, pair_t *pair,
                 double *span) {
  const double *spread = w->spread + k * w->size, *place = w->place, *lows = w->lows, *highs = w->highs;
  double gain = GAIN * w->reach;
  int found = 0;
  if (s < 0.0 && 0.0 < c && s * s * c > gain) {
    gain = s * s * c;
    *pair = (pair_t){-1, -1};
    *span = 0.0;
    found = 1;
  }
  int64_t beyond = w->groups;
  for (int64_t i = 0; i < k; i++) beyond |= place[i] > highs[i] * s || place[i] < lows[i] * s;
  if (!beyond) return found;
  for (int64_t g = 0; g < w->groups; g++) w->topmost[g] = -1;
  for (int64_t i = 0; i < k; i++) {
    double z = place[i], low = lows[i] * s, high = highs[i] * s;
    int64_t g = w->group[i];
    if (g >= 0) {
      if (w->topmost[g] < 0) w->topmost[g] = w->lowest[g] = i;
      if (z > place[w->topmost[g]]) w->topmost[g] = i;
      if (z < place[w->lowest[g]]) w->lowest[g] = i;
    }
    double over = z > high ? z - high : low - z;
    if (over > TOUCH * fabs(z)) {
      double tilt = slopes[i] - (z > high ? highs[i] : lows[i]);
      if (c > 0.0 || tilt == 0.0) {
        double gained = over * over / (spread[i] + (c > 0.0 ? tilt * tilt / c : 0.0));
        if (gained > gain) {
          gain = gained;
          *pair = z > high ? (pair_t){i, -1} : (pair_t){-1, i};
          *span = spread[i];
          found = 1;
        }
      }
    }
  }
  for (int64_t g = 0; g < w->groups && c > 0.0; g++) {
    int64_t most = w->topmost[g], least = w->lowest[g];
    if (most < 0 || most == least) continue;
    double width = (double)(w->high - w->low), over = place[most] - place[least] - width * s;
    if (over > TOUCH * (fabs(place[most]) + fabs(place[least]))) {
      double tilt = slopes[most] - slopes[least] - width, both = 0.0;
      for (int64_t row = most > least ? most : least; row < k; row++)
        both += w->inverse[row * w->size + most] * w->inverse[row * w->size + least];
      both = spread[most] + spread[least] - 2.0 * both;
      double gained = over * over / (both + tilt * tilt / c);
      if (gained > gain) {
        gain = gained;
        *pair = (pair_t){most, least};
        *span = both;
        found = 1;
      }
    }
  }
  return found;
}

INLINE double cone(search_t *w, int64_t k, double m, double s0, double c, const double *slopes, double *at,
                   double *pull, double *room) {
  const double *alone = w->alone + k * w->size, *drag = w->drag + k * w->size;
  double bound = m, s = s0, span, *place = w->place;
  pair_t pair;
  w->count = 0;
  for (int64_t i = 0; i < k; i++) place[i] = alone[i] + s * slopes[i];
  while (w->count < MOST && worst(w, k, s, c, slopes, &pair, &span)) {
    int known = 0;
    for (int64_t i = 0; i < w->count; i++) known |= w->pairs[i].over == pair.over && w->pairs[i].under == pair.under;
    if (known) break;
    int64_t over = pair.over, under = pair.under;
    double tilt = -1.0;
    if (over >= 0 && under >= 0)
      tilt = slopes[over] - slopes[under] - (double)(w->high - w->low);
    else if (over >= 0)
      tilt = slopes[over] - w->highs[over];
    else if (under >= 0)
      tilt = w->lows[under] - slopes[under];
    w->tilts[w->count] = tilt;
    w->amounts[w->count] = (over >= 0 ? alone[over] : 0.0) - (under >= 0 ? alone[under] : 0.0) + s0 * tilt;
    if (!join(w, pair, span, c)) break;
    s = s0;
    bound = m;
    w->nodes++;
    if (c > 0.0) {
      double turn = 0.0;
      for (int64_t i = 0; i < w->count; i++) turn += w->weights[i] * w->tilts[i];
      s = s0 - turn / c;
    }
    for (int64_t i = 0; i < w->count; i++) bound += w->weights[i] * w->amounts[i];
    if (bound > w->reach) break;
    make_column(w, k, pair, w->columns[w->count - 1]);
    for (int64_t i = 0; i < k; i++) place[i] = alone[i] + s * slopes[i];
    for (int64_t j = 0; j < w->count; j++) {
      const double *column = w->columns[j];
      double weight = w->weights[j];
      for (int64_t i = 0; i < k; i++) place[i] -= weight * column[i];
    }
  }
  int64_t last = k - 1;
  w->centres[last] = s > 0.0 ? place[last] / s : slopes[last] + copysign(0.5, place[last]);
  *at = s;
  *pull = 0.0;
  for (int64_t i = 0; i < w->count; i++) {
    int64_t over = w->pairs[i].over, under = w->pairs[i].under;
    *pull += w->weights[i] * ((over >= 0 ? drag[over] : 0.0) - (under >= 0 ? drag[under] : 0.0));
    if (!w->sliding) continue;
    room[0] += over < 0 && under >= 0 ? w->weights[i] : 0.0;
    room[1] += under < 0 && over >= 0 ? w->weights[i] : 0.0;
  }
  return bound;
}

INLINE void descend(search_t *w, int64_t q, int64_t bottom, int64_t top) {
  double centre = w->centres[q], code = (double)w->codes[q + 1], *below = w->sums + q * w->size;
  const double *above = w->sums + (q + 1) * w->size, *column = w->matrix + (q + 1) * w->size;
  for (int64_t i = 0; i <= q; i++) below[i] = above[i] + column[i] * code;
  w->first[q] = w->lengths[q] > 0.0 ? bottom : 0;
  w->last[q] = w->lengths[q] > 0.0 ? top : 0;
  if (!(centre >= (double)w->first[q])) {
    w->up[q] = w->first[q];
  } else if (centre > (double)w->last[q]) {
    w->up[q] = w->last[q] + 1;
  } else {
    w->up[q] = (int64_t)centre;
    if ((double)w->up[q] < centre) w->up[q]++;
  }
  w->down[q] = w->up[q] - 1;
  w->level = q;
}

INLINE void leaf(search_t *w, double m, double s, double total) {
  double terms = 0.0;
  for (int64_t i = 0; i < w->size; i++) terms += w->lengths[i] * fabs((double)w->codes[i]);
  if (s > 0.0 && m < w->best && total > NOISE * NOISE * terms * terms) {
    if (w->merged && !chosen(w, 0, w->starts, w->ends)) return;
    w->best = m;
    memcpy(w->found, w->codes, (size_t)w->size * sizeof *w->found);
    memcpy(w->found + w->size, w->tried + 2 * w->merged * w->merged, (size_t)w->merged * sizeof *w->found);
    double reach = widened(m, w->slack);
    if (reach < w->reach) w->reach = reach;
  }
}

INLINE void step(search_t *w, int64_t q) {
  double centre = w->centres[q];
  int rises = w->up[q] <= w->last[q], falls = w->down[q] >= w->first[q];
  if (!rises && !falls) {
    w->level++;
    return;
  }
  rises = rises && (!falls || (double)w->up[q] - centre <= centre - (double)w->down[q]);
  int64_t code = rises ? w->up[q]++ : w->down[q]--;
  w->nodes++;
  w->codes[q] = code;
  if (w->merged) {
    int64_t m = w->merged, *starts = w->tried, *ends = w->tried + m;
    if (q) starts = w->starts + (q - 1) * m, ends = w->ends + (q - 1) * m;
    memcpy(starts, w->starts + q * m, (size_t)m * sizeof *starts);
    memcpy(ends, w->ends + q * m, (size_t)m * sizeof *ends);
    if (!narrowed(w, q, starts, ends)) return;
  }
  double diagonal = w->matrix[q * w->size + q];
  double x = w->sums[q * w->size + q] + diagonal * (double)code, y = w->target[q];
  double m = w->least[q], s = w->scale[q], c = w->curvature[q], total = c + x * x;
  if (total > 0.0) {
    double error = y - s * x;
    m = m + error * error * (c / total);
    s = (c * s + x * y) / total;
  } else {
    m = m + y * y;
    s = 0.0;
  }
  double bound = s < 0.0 ? m + total * s * s : m, at = s > 0.0 ? s : 0.0, pull = 0.0, room[2] = {0.0, 0.0};
  int64_t bottom = w->low, top = w->high;
  if (bound <= w->reach && q) {
    int64_t below = code < w->bottom[q] ? code : w->bottom[q], above = code > w->top[q] ? code : w->top[q];
    w->bottom[q - 1] = below;
    w->top[q - 1] = above;
    double *slopes = w->slopes + (q - 1) * w->size;
    const double *own = w->slopes + q * w->size, *drag = w->drag + q * w->size;
    double moved = (double)code - own[q];
    for (int64_t i = 0; i < q; i++) slopes[i] = own[i] - drag[i] * moved;
    if (w->sliding) {
      bottom = above - w->high + w->low;
      top = below + w->high - w->low;
    }
    if (q <= w->rank) {
      for (int64_t i = 0; i < q; i++) {
        if (w->merged) merged_box(w, w->starts + q * w->merged, w->ends + q * w->merged, i, &bottom, &top);
        w->lows[i] = (double)bottom;
        w->highs[i] = (double)top;
      }
      bound = cone(w, q, m, s, total, slopes, &at, &pull, room);
    } else
      w->centres[q - 1] = 0.0;
  }
  if (bound > w->reach) {
    double slope = diagonal * (y - at * x) + pull;
    double upwards = slope + (code < w->bottom[q] ? room[1] : 0.0) - (code >= w->top[q] ? room[0] : 0.0);
    double downwards = slope + (code <= w->bottom[q] ? room[1] : 0.0) - (code > w->top[q] ? room[0] : 0.0);
    if (upwards <= 0.0 && code - 1 < w->last[q]) w->last[q] = code - 1;
    if (downwards >= 0.0 && code + 1 > w->first[q]) w->first[q] = code + 1;
  } else if (q) {
    w->least[q - 1] = m;
    w->scale[q - 1] = s;
    w->curvature[q - 1] = total;
    if (w->merged)
      merged_box(w, w->starts + (q - 1) * w->merged, w->ends + (q - 1) * w->merged, q - 1, &bottom, &top);
    descend(w, q - 1, bottom, top);
  } else {
    leaf(w, m, s, total);
  }
}

/* Go on with a search; see the twin.
 *
 * box       size, rank, low, high, sliding, merged, groups
 * mixing    (size, merged); group (size)
 * tables    columns, target, inverse, alone, drag, spread, lengths
 * floats    (4, size); sums, slopes (size, size); integers (7, size); ends (2, size, merged);
 *           found (size + merged)
 * limits    best, reach, slack
 * counters  level, nodes
 *
 * Returns 0, or -1 when there is no memory.
 */
FASTEST int mlrq_search(const int64_t *box, const int64_t *mixing, const int64_t *group,
                        const double *const *tables, double *floats, double *sums, double *slopes,
                        int64_t *integers, int64_t *ends, int64_t *found, double *limits, int64_t *counters,
                        int64_t nodes, int single) {
  int64_t n = box[0], m = box[5];
  search_t *w = malloc(sizeof *w);
  double *store = malloc((size_t)(n * (MOST + 3)) * sizeof *store);
  int64_t *tried = malloc((size_t)(2 * m * (m + 1) + 2 * n) * sizeof *tried);
  if (!w || !store || !tried) {
    free(w);
    free(store);
    free(tried);
    return -1;
  }
  w->size = n, w->rank = box[1], w->low = box[2], w->high = box[3], w->sliding = box[4], w->merged = m, w->groups = box[6];
  w->matrix = tables[0], w->target = tables[1], w->inverse = tables[2], w->alone = tables[3];
  w->drag = tables[4], w->spread = tables[5], w->lengths = tables[6];
  w->least = floats, w->scale = floats + n, w->curvature = floats + 2 * n, w->centres = floats + 3 * n;
  w->sums = sums, w->slopes = slopes, w->found = found;
  w->codes = integers, w->up = integers + n, w->down = integers + 2 * n, w->first = integers + 3 * n;
  w->last = integers + 4 * n, w->bottom = integers + 5 * n, w->top = integers + 6 * n;
  w->best = limits[0], w->reach = limits[1], w->slack = limits[2];
  w->level = counters[0], w->nodes = counters[1];
  w->mixing = mixing, w->group = group, w->topmost = tried + 2 * m * (m + 1), w->lowest = w->topmost + n;
  w->starts = ends, w->ends = ends + n * m, w->tried = tried;
  w->place = store, w->lows = store + n * (MOST + 1), w->highs = store + n * (MOST + 2);
  for (int64_t i = 0; i < MOST; i++) w->columns[i] = store + (i + 1) * n;
  double before = w->best;
  while (w->level < n && w->nodes < nodes && !(single && w->best < before)) step(w, w->level);
  limits[0] = w->best, limits[1] = w->reach;
  counters[0] = w->level, counters[1] = w->nodes;
  free(w);
  free(store);
  free(tried);
  return 0;
}
