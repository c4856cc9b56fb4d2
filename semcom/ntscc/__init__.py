"""NTSCC: nonlinear transform source-channel coding, rates assigned by a learned entropy model."""

from semcom.ntscc.codec import NTSCC

__all__ = ["NTSCC"]
