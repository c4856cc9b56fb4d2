"""Med-JSCC: mask-guided joint source-channel coding of medical images."""

from semcom.medjscc.codec import MedJSCC

__all__ = ["MedJSCC"]
