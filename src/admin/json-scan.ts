/** Bytes that are looked at in one step: less than a millisecond. */
const stepBytes = 64 * 1024;

const [openBrace, closeBrace, openBracket, closeBracket] = [0x7b, 0x7d, 0x5b, 0x5d];
const [quote, backslash, comma, colon, minus, plus, dot, zero, nine] = [
  0x22, 0x5c, 0x2c, 0x3a, 0x2d, 0x2b, 0x2e, 0x30, 0x39,
];

/** The places in a JSON text. A number is at one of several, because not every beginning of it is a whole number. */
type Place =
  | "value"
  | "first element"
  | "first name"
  | "name"
  | "colon"
  | "after value"
  | "string"
  | "escape"
  | "code"
  | "word"
  | "minus"
  | "zero"
  | "digits"
  | "dot"
  | "fraction"
  | "exponent"
  | "signed exponent"
  | "exponent digits";

/** Where a number may end. */
const wholeNumbers: ReadonlySet<Place> = new Set(["zero", "digits", "fraction", "exponent digits"]);

/** Reads a JSON text in steps, as RFC 8259 has it, and makes no values of it. It knows nothing of UTF-8. */
export class JsonScan {
  #place: Place = "value";
  /** Whether each container around is an object, from the outermost on. */
  #objects = new Uint8Array(64);
  #depth = 0;
  #isName = false;
  /** The letters of `true`, `false` or `null` that are to come, and the number of hexadecimal digits of a code. */
  #rest = "";
  #digits = 0;

  /** Reads all bytes: with each step some. Throws a `SyntaxError` that names the position. */
  *read(bytes: Uint8Array): Iterable<void> {
    for (let from = 0; from < bytes.length; from += stepBytes) {
      const end = Math.min(bytes.length, from + stepBytes);
      for (let at = from; at < end; at += 1)
        if (!this.#take(bytes[at] ?? 0)) throw new SyntaxError(`Unexpected character in JSON at byte ${at}`);
      if (end < bytes.length) yield;
    }
    const isWhole = this.#place === "after value" || wholeNumbers.has(this.#place);
    if (!isWhole || this.#depth > 0) throw new SyntaxError("Unexpected end of JSON input");
  }

  /** Takes the next byte. False: it can't stand here. */
  #take(byte: number): boolean {
    switch (this.#place) {
      case "string":
        if (byte === quote) this.#place = this.#isName ? "colon" : "after value";
        else if (byte === backslash) this.#place = "escape";
        else return byte >= 0x20;
        return true;
      case "escape":
        if (byte === 0x75) [this.#place, this.#digits] = ["code", 4];
        else if ('"\\/bfnrt'.includes(String.fromCharCode(byte))) this.#place = "string";
        else return false;
        return true;
      case "code":
        this.#digits -= 1;
        if (this.#digits === 0) this.#place = "string";
        return isDigit(byte) || (byte >= 0x41 && byte <= 0x46) || (byte >= 0x61 && byte <= 0x66);
      case "word": {
        const isNext = this.#rest.charCodeAt(0) === byte;
        this.#rest = this.#rest.slice(1);
        if (this.#rest === "") this.#place = "after value";
        return isNext;
      }
      case "value":
      case "first element":
      case "first name":
      case "name":
      case "colon":
      case "after value":
        return isSpace(byte) || this.#takeMark(byte);
      default:
        return this.#takeNumber(byte);
    }
  }

  /** Takes a byte between names and values, unless it is white space. */
  #takeMark(byte: number): boolean {
    const place = this.#place;
    if (place === "after value") return this.#takeAfterValue(byte);
    if (place === "colon") {
      this.#place = "value";
      return byte === colon;
    }
    if (place === "first element" && byte === closeBracket) return this.#close(false);
    if (place === "first name" && byte === closeBrace) return this.#close(true);
    this.#isName = place === "first name" || place === "name";
    if (byte === quote) this.#place = "string";
    else if (this.#isName) return false;
    else if (byte === openBrace) this.#open(true);
    else if (byte === openBracket) this.#open(false);
    else if (byte === minus) this.#place = "minus";
    else if (isDigit(byte)) this.#place = byte === zero ? "zero" : "digits";
    else {
      const word = words.find((one) => one.charCodeAt(0) === byte);
      if (word === undefined) return false;
      [this.#place, this.#rest] = ["word", word.slice(1)];
    }
    return true;
  }

  #takeAfterValue(byte: number): boolean {
    if (this.#depth === 0) return false;
    const isObject = this.#objects[this.#depth - 1] === 1;
    if (byte === comma) this.#place = isObject ? "name" : "value";
    else return byte === (isObject ? closeBrace : closeBracket) && this.#close(isObject);
    return true;
  }

  #takeNumber(byte: number): boolean {
    const place = this.#place;
    if (isDigit(byte)) {
      if (place === "zero") return false;
      if (place === "minus") this.#place = byte === zero ? "zero" : "digits";
      else if (place === "dot") this.#place = "fraction";
      else if (place === "exponent" || place === "signed exponent") this.#place = "exponent digits";
      return true;
    }
    if (place === "exponent" && (byte === plus || byte === minus)) {
      this.#place = "signed exponent";
      return true;
    }
    if (!wholeNumbers.has(place)) return false;
    if (byte === dot && (place === "zero" || place === "digits")) {
      this.#place = "dot";
      return true;
    }
    if ((byte === 0x65 || byte === 0x45) && place !== "exponent digits") {
      this.#place = "exponent";
      return true;
    }
    this.#place = "after value";
    return isSpace(byte) || this.#takeAfterValue(byte);
  }

  #open(isObject: boolean): void {
    if (this.#depth === this.#objects.length) {
      const more = new Uint8Array(2 * this.#depth);
      more.set(this.#objects);
      this.#objects = more;
    }
    this.#objects[this.#depth] = isObject ? 1 : 0;
    this.#depth += 1;
    this.#place = isObject ? "first name" : "first element";
  }

  #close(isObject: boolean): boolean {
    this.#depth -= 1;
    this.#place = "after value";
    return (this.#objects[this.#depth] === 1) === isObject;
  }
}

const words = ["true", "false", "null"] as const;

function isDigit(byte: number): boolean {
  return byte >= zero && byte <= nine;
}

function isSpace(byte: number): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}
