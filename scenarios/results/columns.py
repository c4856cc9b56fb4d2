"""What the columns of a table mean; kept inside every file that a table is saved to."""

from __future__ import annotations

MAX_SNR_DB = 100

DEFINITIONS = {
    "snr_db": "average E_s/N_0 per complex channel use in dB: noise variance 10^(-snr_db/10) per "
    "complex symbol, half of it per real dimension",
    "believed_snr_db": "the E_s/N_0 in dB that both ends believed in before the picture was sent; "
    "that of the channel but in the scenario mismatch",
    "cbr": "channel bandwidth ratio offered: complex channel uses / (H*W*C); grey pictures, C = 1",
    "cbr_used": "channel bandwidth ratio really spent, at most round(cbr*H*W*C) / (H*W*C)",
    "cpp": "complex channel uses really spent per pixel, used / (H*W)",
    "image": "index of the picture in the set",
    "trial": "index of the independent repetition",
    "psnr": "peak signal-to-noise ratio of each picture in dB, peak 1; means are of dB values",
    "roi_psnr": "PSNR over the region of interest alone, in dB; empty without a region",
    "ssim": "structural similarity of each picture",
    "ms_ssim": "multi-scale SSIM; empty where the picture is too small for five scales",
    "dice": "diagnostic Dice: overlap of the masks that one frozen segmenter finds in the received "
    "and in the sent picture, 1 where it finds nothing in either; parameters say which segmenter; "
    "empty without one",
    "outage": "true where the receiver lost the picture; what the codec then shows (a grey picture "
    "or the part that was decoded) counts in every mean; of a codec with on_loss='drop' lost "
    "pictures are left out of the means of their metrics",
    "codec": "label of a codec; '… MCS n' is that codec held at one modulation and coding scheme; "
    "…-capacity is a bound: the same image coder with an ideal code, at the mutual information of "
    "the same links and draws, without any coded transmission",
    "rx_snr_db": "the receiver's own estimate of E_s/N_0 over this picture, in dB; empty "
    "for bounds",
    "mcs": "index of the modulation and coding scheme; empty for codecs without one and bounds",
    "rounding": "dB values to 4 decimals, similarities to 6",
    "draws": "fading and noise are the same for every codec at the same (link, snr_db, cbr, image, "
    "trial); several rates share a point's seed; all else is independent",
    "intervals": "95 %; means: Student's t over pictures, trials of a picture averaged first; "
    "outage: Wilson's score",
    "overhead": "pilots and cyclic prefix are not part of cbr; each link states its own",
}

LABELS = {
    "psnr": "PSNR [dB]",
    "roi_psnr": "ROI-PSNR [dB]",
    "ssim": "SSIM",
    "ms_ssim": "MS-SSIM",
    "dice": "diagnostic Dice",
    "outage": "share of pictures lost",
    "cbr_used": "channel uses per pixel",
    "rx_snr_db": "received SNR [dB]",
}
"""Metrics that a table can summarise and plot, with axis labels."""

AXES = {"snr_db": r"SNR $E_s/N_0$ [dB]", "cbr": "CBR [channel uses per pixel]"}
"""Columns that curves can run along, with axis labels."""

SETTINGS = {
    "offset_hz": "residual carrier offset [Hz]",
    "rate_hz_per_s": "Doppler rate [Hz/s]",
    "speed_mps": "terminal speed [m/s]",
    "bandwidth_mhz": "channel bandwidth [MHz]",
    "elevation_deg": "elevation [°]",
}
"""Settings of links that curves can run along, with axis labels."""

COLUMNS = {
    "scenario": "str",
    "codec": "str",
    "link": "str",
    "snr_db": "float64",
    "believed_snr_db": "float64",
    "cbr": "float64",
    "cbr_used": "float64",
    "cpp": "float64",
    "image": "int64",
    "trial": "int64",
    "psnr": "float64",
    "roi_psnr": "float64",
    "ssim": "float64",
    "ms_ssim": "float64",
    "dice": "float64",
    "outage": "bool",
    "rx_snr_db": "float64",
    "mcs": "Int64",
}
"""Columns of a table and their pandas types."""

IDENTITY = ("scenario", "codec", "link", "snr_db", "believed_snr_db", "cbr", "image", "trial")
"""Columns that tell one row from another; all others are measured."""
