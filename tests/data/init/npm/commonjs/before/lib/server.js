#!/usr/bin/env -S node --no-deprecation
"use strict";
