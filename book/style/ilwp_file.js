// Reads what an .ilwp file says of itself: its tensors, and how many bytes each of its parts takes.
// The layout is the one of the page on file formats. Weights are not decoded.
"use strict";

const IlwpFile = (() => {
  const TYPES = [
    "float32", "float16", "bfloat16", "float64", "float8_e4m3fn", "float8_e5m2", "float8_e4m3fnuz", "float8_e5m2fnuz",
    "float8_e8m0fnu", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "bool", "complex64",
    "complex128",
  ];
  const BYTES = [4, 2, 2, 8, 1, 1, 1, 1, 1, 1, 2, 4, 8, 1, 2, 4, 8, 1, 8, 16]; // of a number of each type
  const KINDS = ["exact", "constant", "shared", "levels", "depthwise kernels", "codebooks"];
  const [CONSTANT, SHARED, LEVELS] = [1, 2, 3];
  const INDEX_LIMIT = [65536, 64]; // bytes of an index, and how many more for each of its packed bytes
  const METHODS = ["baseline", "FSS", "LSS", "ILL", "aligned"];
  const JOINS = 8, AXES = 16, MOST_AXES = 8, LONGEST_NAME = 16384;
  const CUT = "This .ilwp file is damaged or cut short: ";
  const utf8 = new TextDecoder("utf-8", { fatal: true });

  const TABLE = Uint32Array.from({ length: 256 }, (_, n) => {
    for (let bit = 0; bit < 8; bit++) n = n & 1 ? 0xedb88320 ^ (n >>> 1) : n >>> 1;
    return n;
  });

  function crc32(bytes) {
    let crc = 0xffffffff;
    for (const byte of bytes) crc = TABLE[(crc ^ byte) & 255] ^ (crc >>> 8);
    return (crc ^ 0xffffffff) >>> 0;
  }

  function text(bytes) {
    try {
      return utf8.decode(bytes);
    } catch {
      throw new Error("This file's names are not UTF-8.");
    }
  }

  // Takes bytes apart from their start.
  class Reader {
    constructor(bytes) {
      this.bytes = bytes;
      this.at = 0;
    }

    take(count) {
      if (this.at + count > this.bytes.length) throw new Error(`${CUT}it ends before what its header promises.`);
      this.at += count;
      return this.bytes.subarray(this.at - count, this.at);
    }

    view(count) {
      const part = this.take(count);
      return new DataView(part.buffer, part.byteOffset, count);
    }

    byte() { return this.take(1)[0]; }
    uint16() { return this.view(2).getUint16(0, true); }
    uint32() { return this.view(4).getUint32(0, true); }

    varint() {
      for (let number = 0, place = 1, i = 0; i < 5; i++, place *= 128) {
        const byte = this.byte();
        number += (byte & 127) * place;
        if (byte < 128) return number;
      }
      throw new Error("This file holds an impossible number.");
    }

    // A name that shares its start and its end with the one before, whose lengths `length` reads.
    name(before, length, longest) {
      const [start, end, middle] = [length(), length(), length()];
      if (start + end > before.length || start + end + middle > longest) throw new Error("This file's names make no sense.");
      return Uint8Array.from([...before.subarray(0, start), ...this.take(middle), ...before.subarray(before.length - end)]);
    }
  }

  const count = (shape) => shape.reduce((product, axis) => product * axis, 1);

  // { version, bytes, tensors: [{ name, shape, type, kind, note, part }], parts: [{ kind, bytes, tensors, damaged }] }
  // A promise; it throws an Error of one line for what is no sound file; a part whose checksum is wrong is `damaged`.
  async function read(bytes) {
    if (!bytes.length) throw new Error("This file is empty.");
    if (text4(bytes) !== "ILWP") throw new Error("This is no .ilwp file.");
    if (bytes.length < 5) throw new Error(`${CUT}it ends after its first word.`);
    if (bytes[4] === 1) return readPaper(bytes);
    if (bytes[4] === 2) return readNetwork(bytes);
    throw new Error(`This file has format version ${bytes[4]}. This page reads versions 1 and 2.`);
  }

  const text4 = (bytes) => String.fromCharCode(...bytes.subarray(0, 4));

  async function inflate(packed) {
    const reader = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate-raw")).getReader();
    const parts = [];
    let length = 0;
    try {
      for (let { done, value } = await reader.read(); !done; { done, value } = await reader.read()) {
        length += value.length;
        if (length > INDEX_LIMIT[0] + INDEX_LIMIT[1] * packed.length) throw new Error();
        parts.push(value);
      }
    } catch {
      throw new Error("This file's index makes no sense.");
    }
    return new Uint8Array(await new Blob(parts).arrayBuffer());
  }

  async function readNetwork(bytes) {
    if (bytes.length < 13) throw new Error(`${CUT}it ends before its index.`);
    const head = new Reader(bytes);
    head.take(5);
    const [length, checksum] = [head.uint32(), head.uint32()];
    if (13 + length > bytes.length || crc32(bytes.subarray(13, 13 + length)) !== checksum) {
      throw new Error(`${CUT}the checksum of its index is wrong.`);
    }
    const index = new Reader(await inflate(head.take(length)));
    const found = { version: 2, bytes: bytes.length, tensors: [], metadata: [], parts: [{ kind: "names and header", bytes: 13 + length, tensors: 0 }] };
    const segments = [];
    const seen = new Set();
    let name = new Uint8Array();
    let start = 13 + length;
    for (let left = index.varint(); left > 0; left--) {
      name = index.name(name, () => index.varint(), LONGEST_NAME);
      const tensor = { name: text(name), shape: [], type: "", note: "" };
      const code = index.byte();
      const kind = code % JOINS, joins = Boolean(code & JOINS);
      if (code === SHARED) {
        const number = index.varint();
        if (number >= found.tensors.length || found.tensors[number].kind === KINDS[SHARED]) throw new Error("This file's index makes no sense.");
        const { name: other, shape, type } = found.tensors[number];
        Object.assign(tensor, { shape, type, note: `the memory of ${other}` });
      } else {
        tensor.type = TYPES[index.byte()];
        const axes = Math.floor(code / AXES);
        if (!tensor.type) throw new Error("This file holds tensors of an unknown type.");
        tensor.shape = Array.from({ length: axes }, () => index.varint());
        if (axes > MOST_AXES || count(tensor.shape.map((axis) => axis || 1)) >= 2 ** 59) throw new Error("This file claims an impossible number of weights.");
        if (!(kind in KINDS) || kind === SHARED || (joins && kind === CONSTANT)) throw new Error("This file holds tensors of an unknown kind.");
        if (kind === CONSTANT) {
          index.take(BYTES[TYPES.indexOf(tensor.type)]);
          tensor.note = "one value, in the index";
        } else if (joins) {
          tensor.part = segments[index.varint()];
          if (!tensor.part || tensor.part.kind !== KINDS[kind]) throw new Error("This file's index makes no sense.");
          tensor.part.tensors += 1;
        } else {
          const part = { kind: KINDS[kind], bytes: index.varint(), checksum: index.uint32(), tensors: 1, start };
          start += part.bytes;
          segments.push(part);
          tensor.part = part;
        }
      }
      tensor.kind = KINDS[kind];
      if (seen.has(tensor.name)) throw new Error("This file holds a tensor twice.");
      seen.add(tensor.name);
      found.tensors.push(tensor);
    }
    for (let left = index.varint(); left > 0; left--) {
      const lengths = [index.varint(), index.varint()];
      found.metadata.push(lengths.map((size) => text(index.take(size))));
    }
    if (index.at < index.bytes.length) throw new Error("This file's index makes no sense.");
    if (start < bytes.length) throw new Error("This .ilwp file is damaged: it goes on after its last tensor.");
    for (const part of segments) {
      const content = bytes.subarray(part.start, part.start + part.bytes);
      part.damaged = content.length < part.bytes || crc32(content) !== part.checksum;
      found.parts.push(part);
    }
    for (const tensor of found.tensors) {
      const part = tensor.part;
      if (tensor.kind === KINDS[LEVELS] && part.tensors === 1 && !part.damaged) tensor.note = scale(bytes.subarray(part.start));
    }
    return found;
  }

  // What a segment of one tensor's levels begins with: a step without its lowest byte, or the fineness of powers of two.
  function scale(content) {
    const reader = new Reader(content);
    const fineness = reader.byte();
    if (fineness) return "powers of two";
    const step = new DataView(Uint8Array.of(0, ...reader.take(3)).buffer).getFloat32(0, true);
    return `step ${Number(step.toPrecision(4))}`;
  }

  // The paper's codec: depthwise kernels, and all else as a safetensors file.
  function readPaper(bytes) {
    const end = bytes.length - 4;
    if (end < 5 || crc32(bytes.subarray(0, end)) !== new Reader(bytes.subarray(end)).uint32()) {
      throw new Error(`${CUT}its checksum is wrong.`);
    }
    const reader = new Reader(bytes.subarray(0, end));
    reader.take(5);
    const [method, bits, flags, height, width] = reader.take(5);
    const [layers, section] = [reader.uint16(), reader.uint32()];
    if (!METHODS[method] || bits < 2 || bits > 8 || flags > 15 || !(height && width && layers)) {
      throw new Error("This file's header makes no sense.");
    }
    const loop = flags & 1 ? "open" : "closed";
    const found = { version: 1, bytes: bytes.length, tensors: [], metadata: [], parts: [] };
    let name = new Uint8Array();
    for (let layer = 0; layer < layers; layer++) {
      name = reader.name(name, () => reader.byte(), 255);
      found.tensors.push({
        name: text(name), shape: [reader.uint32(), 1, height, width], type: "float32",
        kind: layer ? "depthwise kernels" : "first layer", note: layer ? `${METHODS[method]}, ${bits} bits, ${loop} loop` : "as it is",
      });
    }
    const first = 4 * count(found.tensors[0].shape);
    reader.take(first);
    const steps = 4 * (flags & 4 ? Math.min(layers - 1, 1) : layers - 1) * (flags & 2 ? 2 : 1);
    reader.take(steps);
    reader.take(section);
    const other = reader.bytes.subarray(reader.at);
    found.parts.push(
      { kind: "names and header", bytes: bytes.length - first - section - other.length, tensors: 0 },
      { kind: "first layer", bytes: first, tensors: 1 },
      { kind: "depthwise kernels", bytes: section, tensors: layers - 1 });
    found.tensors[0].part = found.parts[1];
    for (const tensor of found.tensors.slice(1)) tensor.part = found.parts[2];
    if (other.length) addSafetensors(found, other);
    return found;
  }

  // safetensors' F32 is float32, and so on.
  function typeName(dtype) {
    const words = { BF: "bfloat", F: "float", I: "int", U: "uint", C: "complex" };
    return dtype.replace(/^(BF|F|I|U|C)(?=\d)/, (letters) => words[letters]).toLowerCase();
  }

  function addSafetensors(found, content) {
    const part = { kind: "exact", bytes: content.length, tensors: 0 };
    found.parts.push(part);
    try {
      const reader = new Reader(content);
      const length = reader.uint32() + 2 ** 32 * reader.uint32();
      const { __metadata__, ...tensors } = JSON.parse(text(reader.take(length)));
      for (const [name, { dtype, shape }] of Object.entries(tensors)) {
        found.tensors.push({ name, shape, type: typeName(dtype), kind: "exact", note: "", part });
        part.tensors += 1;
      }
    } catch {
      throw new Error("This file's other tensors do not read.");
    }
  }

  return { read, count };
})();
