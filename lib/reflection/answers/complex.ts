/** Complex numbers in double arithmetic, principal branches. NaN where there is no value. */

export interface Complex {
  readonly re: number;
  readonly im: number;
}

export const complex = (re: number, im = 0): Complex => ({ re, im });

export const add = (a: Complex, b: Complex): Complex => complex(a.re + b.re, a.im + b.im);
export const subtract = (a: Complex, b: Complex): Complex => complex(a.re - b.re, a.im - b.im);
export const negate = (a: Complex): Complex => complex(-a.re, -a.im);
export const magnitude = (a: Complex): number => Math.hypot(a.re, a.im);
export const isReal = (a: Complex): boolean => a.im === 0;

export function multiply(a: Complex, b: Complex): Complex {
  // Apart, so that infinity times a real number is infinity and not NaN.
  if (isReal(a) && isReal(b)) return complex(a.re * b.re);
  return complex(a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re);
}

export function divide(a: Complex, b: Complex): Complex {
  if (b.re === 0 && b.im === 0) return complex(NaN);
  if (isReal(a) && isReal(b)) return complex(a.re / b.re);
  const size = b.re * b.re + b.im * b.im;
  return complex((a.re * b.re + a.im * b.im) / size, (a.im * b.re - a.re * b.im) / size);
}

export function exp(a: Complex): Complex {
  const size = Math.exp(a.re);
  return isReal(a) ? complex(size) : complex(size * Math.cos(a.im), size * Math.sin(a.im));
}

export function ln(a: Complex): Complex {
  return complex(Math.log(magnitude(a)), isReal(a) && a.re >= 0 ? 0 : Math.atan2(a.im, a.re));
}

export function power(a: Complex, b: Complex): Complex {
  if (isReal(b) && Number.isInteger(b.re) && Math.abs(b.re) <= 64) return integerPower(a, b.re);
  if (isReal(a) && isReal(b) && a.re >= 0) return complex(a.re ** b.re);
  if (a.re === 0 && a.im === 0) return complex(b.re > 0 ? 0 : NaN);
  if (isReal(a) && isReal(b) && Number.isInteger(b.re)) return complex(a.re ** b.re);
  return exp(multiply(b, ln(a)));
}

/** By repeated squaring, so that the square of i is -1 to the last bit. */
function integerPower(a: Complex, n: number): Complex {
  if (isReal(a)) return complex(a.re === 0 && n < 0 ? NaN : a.re ** n);
  let [out, factor] = [complex(1), a];
  for (let rest = Math.abs(n); rest > 0; rest >>= 1) {
    if (rest & 1) out = multiply(out, factor);
    factor = multiply(factor, factor);
  }
  return n < 0 ? divide(complex(1), out) : out;
}

export const sqrt = (a: Complex): Complex =>
  isReal(a)
    ? a.re >= 0
      ? complex(Math.sqrt(a.re))
      : complex(0, Math.sqrt(-a.re))
    : power(a, complex(0.5));

export const sin = (a: Complex): Complex =>
  isReal(a)
    ? complex(Math.sin(a.re))
    : complex(Math.sin(a.re) * Math.cosh(a.im), Math.cos(a.re) * Math.sinh(a.im));

export const cos = (a: Complex): Complex =>
  isReal(a)
    ? complex(Math.cos(a.re))
    : complex(Math.cos(a.re) * Math.cosh(a.im), -Math.sin(a.re) * Math.sinh(a.im));
