// What the rules in config/prometheus keep, for panels to ask instead of raw series.
// It is by namespace: the choice of Pods has no effect on it.

/**
 * The share of checks that got an answer.
 * @param {'5m' | '1h' | '30d'} window
 * @param {string[]} matchers
 */
export function availability(window, ...matchers) {
  return recorded(`probe_success:ratio_rate${window}`, matchers);
}

/**
 * How many times faster than allowed the error budget is spent.
 * @param {'1h'} window
 * @param {string[]} matchers
 */
export function burnRate(window, ...matchers) {
  return recorded(`error_budget:burn_rate${window}`, matchers);
}

/**
 * The part of 30 days' error budget that is left.
 * @param {string[]} matchers
 */
export function budgetLeft(...matchers) {
  return recorded('error_budget:remaining30d', matchers);
}

/**
 * @param {string} name
 * @param {string[]} matchers
 */
function recorded(name, matchers) {
  return `namespace_service:reims_health_${name}{${['cluster=~"$cluster"', 'namespace=~"$namespace"', ...matchers].join(', ')}}`;
}

/** Alerts of these rules that fire, with or without a namespace of their own. */
export const firing = 'ALERTS{alertname=~"ReimsHealth.+", alertstate="firing", cluster=~"$cluster", namespace=~"$namespace|"}';
