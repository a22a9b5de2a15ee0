# A stand-in for python:3.11-slim where no image can be pulled: base.sh makes the archive.
FROM scratch
ADD base.tar /
ENV PATH=/usr/local/bin:/usr/local/sbin:/usr/bin:/usr/sbin:/bin:/sbin \
    LANG=C.UTF-8
CMD ["python3"]
LABEL assay.stand-in="python:3.11-slim"
