"""Block error rates of this library's LDPC decoder over Gaussian noise, for link adaptation.

    python benchmarks/awgn_bler.py semcom/modem/data/awgn_bler.csv

About 40 minutes on one core. Codes that the file already holds are left out, so that a run may be
broken off. Each is simulated with QAM, exact soft bits and 50 layered A-min* iterations in int16,
from where half of the blocks fail down to half a percent.
"""

from __future__ import annotations

import csv
import math
import sys
from pathlib import Path

import torch

from semcom.fec import LDPCDecoder, LDPCEncoder
from semcom.fec.base_graph import MAX_INFO_BITS
from semcom.fec.code import choose_base_graph
from semcom.modem.normal_approximation import normal_snr_db
from semcom.modem.qam import soft_bits, symbols_of
from semcom.modem.transport import NUM_ITER

SIZES = (32, 64, 128, 256, 512, 1024, 2048, 3824, 8448)
RATES = {
    2: (193, 308, 449, 602, 679),
    4: (340, 434, 553, 658),
    6: (438, 567, 666, 772, 873, 948),
    8: (682.5, 797, 885, 948),
}
STEP_DB = 0.25
COLUMNS = ("bits_per_symbol", "rate_1024", "k", "n", "snr_db", "errors", "blocks")


def simulate(k: int, n: int, order: int, rate: float, snr_db: float, errors: int) -> list[int]:
    """Errors and blocks, until there are enough errors or they are clearly rare."""
    options = {"bg": choose_base_graph(k, rate), "num_bits_per_symbol": order}
    encoder, decoder = LDPCEncoder(k, n, **options), LDPCDecoder(k, n, NUM_ITER, **options)
    noise_var = 10 ** (-snr_db / 10)
    batch = max(16, min(2000, 200_000 // n))
    wrong = blocks = 0
    while wrong < errors and blocks < 400 * errors:
        bits = torch.randint(0, 2, (batch, k)).float()
        sent = symbols_of(encoder(bits), order)
        received = sent + math.sqrt(noise_var) * torch.randn_like(sent)
        decoded = decoder(soft_bits(received, torch.full(sent.shape, noise_var), order))
        wrong += int((decoded != bits).any(1).sum())
        blocks += batch
    return [wrong, blocks]


def main(path: Path) -> None:
    """Add the codes that a file lacks."""
    torch.set_num_threads(1)
    done = set()
    if path.exists():
        with path.open() as file:
            for row in csv.DictReader(file):
                done.add((row["bits_per_symbol"], row["rate_1024"], row["k"]))
    else:
        path.write_text(",".join(COLUMNS) + "\n")
    for k in SIZES:
        for order, rates in RATES.items():
            for rate in rates:
                too_long = k > MAX_INFO_BITS[choose_base_graph(k, rate / 1024)]
                if too_long or (str(order), str(rate), str(k)) in done:
                    continue
                torch.manual_seed(round(1000 * rate) + 100_000_000 * order + k)
                n = math.ceil(k * 1024 / rate / order) * order
                snr_db = round(normal_snr_db(k, n // order, order, 0.3) / STEP_DB) * STEP_DB
                found = []
                while True:
                    count = simulate(k, n, order, rate / 1024, snr_db, 100 if k < 2000 else 60)
                    if count[0] < 0.9 * count[1]:
                        found.append([order, rate, k, n, snr_db, *count])
                    if count[0] < 0.005 * count[1]:
                        break
                    snr_db += STEP_DB
                with path.open("a", newline="") as file:
                    csv.writer(file, lineterminator="\n").writerows(found)
                print(*found[-1], flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
