"""Does anything beat chance?"""
