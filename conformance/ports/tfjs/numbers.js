'use strict';
// Numbers of the protocol: hexadecimal, as C's %a, so that no digit is lost.

const NUMBER = /^([+-]?)0x([0-9a-f]+)(?:\.([0-9a-f]*))?p([+-]?\d+)$/i;
const SPECIAL = { nan: NaN, '-nan': NaN, inf: Infinity, '-inf': -Infinity };

/** Read "0x1.8p+1". */
function readNumber(text) {
  if (text in SPECIAL) return SPECIAL[text];
  const [, sign, whole, part = '', power] = NUMBER.exec(text);
  let digits = 0; // at most 53 bits: every step is exact
  for (const digit of whole + part) digits = 16 * digits + parseInt(digit, 16);
  const value = scale(digits, Number(power) - 4 * part.length);
  return sign === '-' ? -value : value;
}

/** x times a power of two, in two steps where one would overflow or underflow. */
function scale(x, power) {
  const half = Math.trunc(power / 2);
  return x * 2 ** half * 2 ** (power - half);
}

/** Write 3 as "0x3p+0": a whole number times a power of two. */
function writeNumber(value) {
  if (Number.isNaN(value)) return 'nan';
  if (!Number.isFinite(value)) return value > 0 ? 'inf' : '-inf';
  const sign = value < 0 || Object.is(value, -0) ? '-' : '';
  let digits = Math.abs(value);
  let power = 0;
  while (digits >= 2 ** 53) [digits, power] = [digits / 2, power + 1];
  while (!Number.isInteger(digits)) [digits, power] = [digits * 2, power - 1];
  return `${sign}0x${digits.toString(16)}p${power < 0 ? '' : '+'}${power}`;
}

module.exports = { readNumber, writeNumber };
