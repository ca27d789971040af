// SHA-256 (FIPS 180-4) of short text, without waiting: a puzzle takes tens of thousands of hashes,
// and crypto.subtle would queue a task for each.

const K = new Uint32Array(64);
const START = new Uint32Array(8);

// The standard's constants: fractions of the cube and square roots of the first primes.
{
  const fraction = (root: number) => Math.floor((root - Math.floor(root)) * 2 ** 32);
  let found = 0;
  for (let n = 2; found < 64; n += 1) {
    let isPrime = true;
    for (let d = 2; d * d <= n; d += 1) if (n % d === 0) isPrime = false;
    if (!isPrime) continue;
    if (found < 8) START[found] = fraction(Math.sqrt(n));
    K[found] = fraction(Math.cbrt(n));
    found += 1;
  }
}

const words = new Uint32Array(64);
const rotate = (x: number, by: number) => (x >>> by) | (x << (32 - by));

/** The eight 32-bit words of the hash. `text` is ASCII of at most 55 characters: one block. */
export function sha256(text: string): Uint32Array {
  if (text.length > 55) throw new RangeError(`${text.length} characters do not fit one block`);
  words.fill(0, 0, 16);
  const put = (at: number, byte: number) => {
    words[at >> 2] = at_(at >> 2) | (byte << (24 - 8 * (at & 3)));
  };
  for (let at = 0; at < text.length; at += 1) put(at, text.charCodeAt(at));
  put(text.length, 0x80);
  words[15] = text.length * 8;
  for (let i = 16; i < 64; i += 1) {
    const [x, y] = [at_(i - 15), at_(i - 2)];
    const s0 = rotate(x, 7) ^ rotate(x, 18) ^ (x >>> 3);
    const s1 = rotate(y, 17) ^ rotate(y, 19) ^ (y >>> 10);
    words[i] = at_(i - 16) + s0 + at_(i - 7) + s1;
  }
  return compress();
}

function at_(index: number): number {
  return words[index] as number;
}

function compress(): Uint32Array {
  let [a, b, c, d, e, f, g, h] = START as unknown as [number, number, number, number, number, number, number, number];
  for (let i = 0; i < 64; i += 1) {
    const s1 = rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25);
    const choice = (e & f) ^ (~e & g);
    const one = (h + s1 + choice + (K[i] as number) + at_(i)) | 0;
    const s0 = rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22);
    const majority = (a & b) ^ (a & c) ^ (b & c);
    [h, g, f, e, d, c, b, a] = [g, f, e, (d + one) | 0, c, b, a, (one + s0 + majority) | 0];
  }
  return Uint32Array.from([a, b, c, d, e, f, g, h], (word, i) => word + (START[i] as number));
}

/** Zero bits at the beginning of a hash. */
export function leadingZeros(hash: Uint32Array): number {
  let zeros = 0;
  for (const word of hash) {
    zeros += Math.clz32(word);
    if (word !== 0) break;
  }
  return zeros;
}
