# SPDX-License-Identifier: MIT
"""A recorded session as other files: WFDB, EDF+, CSV, PDF, DICOM."""
