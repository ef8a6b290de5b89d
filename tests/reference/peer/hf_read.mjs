// hf_read.mjs FILE: reads it with @huggingface/gguf and prints nothing: what `./dev bench open` takes the time of.
import {gguf} from "@huggingface/gguf";
await gguf(process.argv[2], {allowLocalFile: true});
