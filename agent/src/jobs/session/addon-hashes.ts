/** SHA-256 of the compiled terminal part for each platform; made by scripts/addon-hashes.ts from what the lockfile promises. */
export const ADDON_HASHES: Readonly<Record<string, string>> = {
  "darwin-arm64": "12859327f1340ef35d04839a3670059e1964c0af2387da4f95a401ad7a410811",
  "darwin-x64": "40eaedf8f8ad00daa614b28d154b78789d63f44615c58a0edc71a057bc2b79ea",
  "linux-arm64": "c192e560428e778842fdbbe72f14032824b03373ed49ad3efcdbcf9eb249b75b",
  "linux-x64": "ff8c140f142c13030d84193e5ba2ac556d320cf29d8efecc391174bfb8861cb0",
};
