/** Bytes at the start of a kind of file. `weak`: a few letters with which a text may begin, too. */
interface Magic {
  readonly name: string;
  readonly at?: number;
  /** One character for each byte. */
  readonly bytes: string;
  readonly weak?: true;
}

const MAGICS: readonly Magic[] = [
  { name: "PNG image", bytes: "\x89PNG\r\n\x1a\n" },
  { name: "JPEG image", bytes: "\xff\xd8\xff" },
  { name: "GIF image", bytes: "GIF89a" },
  { name: "GIF image", bytes: "GIF87a" },
  { name: "WebP image", at: 8, bytes: "WEBP" },
  { name: "WAV audio", at: 8, bytes: "WAVEfmt " },
  { name: "TIFF image", bytes: "II*\0" },
  { name: "TIFF image", bytes: "MM\0*" },
  { name: "MP4 or QuickTime media", at: 4, bytes: "ftyp" },
  { name: "Ogg media", bytes: "OggS\0" },
  { name: "FLAC audio", bytes: "fLaC\0" },
  { name: "MP3 audio", bytes: "ID3", weak: true },
  { name: "PDF document", bytes: "%PDF-" },
  { name: "ZIP archive (also jar, docx, xlsx, whl)", bytes: "PK\x03\x04" },
  { name: "ZIP archive (also jar, docx, xlsx, whl)", bytes: "PK\x05\x06" },
  { name: "gzip data", bytes: "\x1f\x8b\x08" },
  { name: "xz data", bytes: "\xfd7zXZ\0" },
  { name: "Zstandard data", bytes: "\x28\xb5\x2f\xfd" },
  { name: "bzip2 data", bytes: "BZh", weak: true },
  { name: "LZ4 data", bytes: "\x04\x22\x4d\x18" },
  { name: "7-Zip archive", bytes: "7z\xbc\xaf\x27\x1c" },
  { name: "RAR archive", bytes: "Rar!\x1a\x07" },
  { name: "tar archive", at: 257, bytes: "ustar" },
  { name: "ar archive (also deb)", bytes: "!<arch>\n" },
  { name: "ELF program or library", bytes: "\x7fELF" },
  { name: "Windows program", bytes: "MZ", weak: true },
  { name: "Mach-O program", bytes: "\xcf\xfa\xed\xfe" },
  { name: "Java class or Mach-O program", bytes: "\xca\xfe\xba\xbe" },
  { name: "WebAssembly module", bytes: "\0asm" },
  { name: "SQLite database", bytes: "SQLite format 3\0" },
  { name: "Parquet data", bytes: "PAR1", weak: true },
  { name: "NumPy array", bytes: "\x93NUMPY" },
  { name: "HDF5 data", bytes: "\x89HDF\r\n\x1a\n" },
  { name: "WOFF font", bytes: "wOF", weak: true },
  { name: "TrueType font", bytes: "\0\x01\0\0\0" },
  { name: "UTF-32 text", bytes: "\xff\xfe\0\0" },
  { name: "UTF-32 text", bytes: "\0\0\xfe\xff" },
  { name: "systemd journal", bytes: "LPKSHHRH" },
];

/**
 * Returns the kind of a file with this beginning, in words; undefined if unknown. `isText`: everything else
 * indicates text.
 */
export function binaryType(beginning: Uint8Array, isText: boolean): string | undefined {
  const head = Buffer.from(beginning.subarray(0, 512)).toString("latin1");
  return MAGICS.find(({ at = 0, bytes, weak }) => !(weak && isText) && head.startsWith(bytes, at))?.name;
}
