import { buildProgram } from "../../scripts/bundle.ts";

/** Before the tests of the whole system: they start what is shipped, which also starts in a fraction of the sources' time. */
export default buildProgram;
