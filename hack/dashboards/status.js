// What colours and words mean. The same ones on every dashboard.
import { MappingType, ThresholdsMode, ThresholdsConfigBuilder } from '@grafana/grafana-foundation-sdk/dashboard';

export const colour = {
  healthy: 'green',
  degraded: 'yellow',
  unhealthy: 'red',
  unknown: '#808080',
  neutral: 'blue',
};

/** The numbers that worstStatus in promql.js gives, in the order of their gravity. */
export const codes = mapping(
  ['healthy', colour.healthy],
  ['degraded', colour.degraded],
  ['unknown', colour.unknown],
  ['unhealthy', colour.unhealthy],
);

/** The numbers that readiness in promql.js gives. */
export const readinessCodes = mapping(
  ['not ready', colour.unhealthy],
  ['ready', colour.healthy],
  ['not ready by override', 'purple'],
  ['ready by override', 'orange'],
);

/** The numbers that worstExtent in promql.js gives: how far a fault reaches. */
export const extentCodes = mapping(
  ['no fault', colour.healthy],
  ['some Pods', colour.degraded],
  ['nodes', 'orange'],
  ['zones', 'dark-orange'],
  ['most Pods', colour.unhealthy],
);

/** @param {[string, string][]} states text and colour of 0, 1, 2 ... */
function mapping(...states) {
  const options = Object.fromEntries(states.map(([text, color], index) => [String(index), { text, color, index }]));
  return [{ type: /** @type {const} */ (MappingType.ValueToText), options }];
}

/**
 * Colours by value: `first` from below, then each colour from its value on.
 * @param {string} first
 * @param {[number, string][]} steps
 */
export function thresholds(first, ...steps) {
  return new ThresholdsConfigBuilder()
    .mode(ThresholdsMode.Absolute)
    .steps([{ value: null, color: first }, ...steps.map(([value, color]) => ({ value, color }))]);
}

/** Good at zero, bad from one on. */
export const zeroIsGood = thresholds(colour.healthy, [1, colour.unhealthy]);

/** How full something with a limit is, from 0 to 1. */
export const fullness = thresholds(colour.healthy, [0.8, colour.degraded], [0.9, colour.unhealthy]);

/** How much of an error budget is left: below zero the objective is missed. */
export const budget = thresholds(colour.unhealthy, [0, colour.degraded], [0.5, colour.healthy]);
