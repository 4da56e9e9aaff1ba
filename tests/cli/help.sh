#!/usr/bin/env bash
# Help, version, and where they are printed.
. "$(dirname "$0")/lib.sh"

prints() { # prints FILE COMMAND...: this text on standard output, exit code 0, nothing on standard error
    local text
    text=$(cat "$1")
    shift
    run "$@"
    is "$*" "$code $err
$out" "0 
$text"
}

cat >overview.txt <<'END'
Compiles neural networks ahead of time into native programs that infer and train.

  ingot build MODEL         make a native program or library of a model
  ingot inspect MODEL       layers, shapes, parameters, multiply-adds and memory
  ingot check MODEL         build, run, and compare with the evaluator
  ingot profile MODEL       build, run, and print where the time goes
  ingot help [COMMAND]      this text, or that of one command
  ingot --version           the version of this program and of LLVM

"ingot help COMMAND" lists the options of a command.
Exit codes: 0 done, 1 an error in the model or a difference found, 2 wrong usage or a bug.
END

cat >build.txt <<'END'
usage: ingot build MODEL [options]

Make a native program or library of a model.

  -o OUT                    write to OUT; the model's name otherwise, or
                            standard output for text; "-" is standard output
  --emit=KIND               exe (default), shared, static or object: with a C
                            header beside them; graph, nest, llvm or asm: text
  --train                   with backward pass and optimizer, so that it can be
                            trained
  --target=TRIPLE           x86_64-linux-gnu, aarch64-linux-gnu or
                            arm-linux-gnueabihf; this machine otherwise
  --cpu=NAME                the processor, such as x86-64-v3 or cortex-a53;
                            otherwise this machine's, or with --target its usual
                            one
  --batch=N[,N…]            rows of data in one call of infer; 1 otherwise;
                            several make several functions
  --train-batch=N           rows of data in one step of training; what the model
                            says otherwise (check: 8)
  --shape=NAME=AxB          shape of an input that an ONNX model leaves open;
                            once for each, "[]" for no axes
  --dim=NAME=N[,N…]         size of a dimension that an ONNX model leaves open;
                            several make several functions
  --const=NAME=FILE         an input of an ONNX model that always has this
                            value: .npy, or a tensor as .pb; check: without
                            =FILE that of --inputs
  --threads=WAY             pthreads (default), openmp, none, or host: the
                            threads of the program that loads the library
  --weights=WHERE           embed (default) or beside: in OUT.safetensors, which
                            the program reads when it starts
  --freeze                  weights become constants of the code: faster, and
                            nothing can replace them
  --winograd=WHEN           auto (default) or no: convolutions of 3x3 and 5x5
                            taps with fewer multiplications, which rounds
                            differently
  --static                  with the C library inside: runs on any Linux kernel
                            of the target
  --profile                 able to measure itself: a program gets the command
                            profile, a library functions for it
  --jobs=N                  kernels compiled at the same time; one for each
                            processor otherwise
  --print-after=PASS        print the program to standard error after this pass
  --stop-after=PASS         stop after this pass and write the program as it is
                            then
  --time-passes             print how long each pass took to standard error
END

cat >inspect.txt <<'END'
usage: ingot inspect MODEL [options]

Layers, shapes, parameters, multiply-adds and memory.

  --train                   with backward pass and optimizer, so that it can be
                            trained
  --target=TRIPLE           x86_64-linux-gnu, aarch64-linux-gnu or
                            arm-linux-gnueabihf; this machine otherwise
  --cpu=NAME                the processor, such as x86-64-v3 or cortex-a53;
                            otherwise this machine's, or with --target its usual
                            one
  --batch=N[,N…]            rows of data in one call of infer; 1 otherwise;
                            several make several functions
  --train-batch=N           rows of data in one step of training; what the model
                            says otherwise (check: 8)
  --shape=NAME=AxB          shape of an input that an ONNX model leaves open;
                            once for each, "[]" for no axes
  --dim=NAME=N[,N…]         size of a dimension that an ONNX model leaves open;
                            several make several functions
  --const=NAME=FILE         an input of an ONNX model that always has this
                            value: .npy, or a tensor as .pb; check: without
                            =FILE that of --inputs
  --threads=WAY             pthreads (default), openmp, none, or host: the
                            threads of the program that loads the library
  --freeze                  weights become constants of the code: faster, and
                            nothing can replace them
  --winograd=WHEN           auto (default) or no: convolutions of 3x3 and 5x5
                            taps with fewer multiplications, which rounds
                            differently
  --jobs=N                  kernels compiled at the same time; one for each
                            processor otherwise
END

cat >check.txt <<'END'
usage: ingot check MODEL [options]

Build, run, and compare with the evaluator.

  --train                   with backward pass and optimizer, so that it can be
                            trained
  --target=TRIPLE           x86_64-linux-gnu, aarch64-linux-gnu or
                            arm-linux-gnueabihf; this machine otherwise
  --cpu=NAME                the processor, such as x86-64-v3 or cortex-a53;
                            otherwise this machine's, or with --target its usual
                            one
  --batch=N[,N…]            rows of data in one call of infer; 1 otherwise;
                            several make several functions
  --train-batch=N           rows of data in one step of training; what the model
                            says otherwise (check: 8)
  --shape=NAME=AxB          shape of an input that an ONNX model leaves open;
                            once for each, "[]" for no axes
  --dim=NAME=N[,N…]         size of a dimension that an ONNX model leaves open;
                            several make several functions
  --const=NAME=FILE         an input of an ONNX model that always has this
                            value: .npy, or a tensor as .pb; check: without
                            =FILE that of --inputs
  --inputs=DIR              run an ONNX model on the tensors in_NAME.npy or
                            input_N.pb of this folder, and compare with its
                            out_NAME.npy or output_N.pb
  --gradients               with the gradients of the outputs by the inputs,
                            which are compared with central differences, too
  --threads=WAY             pthreads (default), openmp, none, or host: the
                            threads of the program that loads the library
  --freeze                  weights become constants of the code: faster, and
                            nothing can replace them
  --winograd=WHEN           auto (default) or no: convolutions of 3x3 and 5x5
                            taps with fewer multiplications, which rounds
                            differently
  --seed=N                  of the random inputs and weights; 1 otherwise
  --jobs=N                  kernels compiled at the same time; one for each
                            processor otherwise
END

cat >profile.txt <<'END'
usage: ingot profile MODEL [options]

Build, run, and print where the time goes.

  --train                   with backward pass and optimizer, so that it can be
                            trained
  --target=TRIPLE           x86_64-linux-gnu, aarch64-linux-gnu or
                            arm-linux-gnueabihf; this machine otherwise
  --cpu=NAME                the processor, such as x86-64-v3 or cortex-a53;
                            otherwise this machine's, or with --target its usual
                            one
  --batch=N[,N…]            rows of data in one call of infer; 1 otherwise;
                            several make several functions
  --train-batch=N           rows of data in one step of training; what the model
                            says otherwise (check: 8)
  --shape=NAME=AxB          shape of an input that an ONNX model leaves open;
                            once for each, "[]" for no axes
  --dim=NAME=N[,N…]         size of a dimension that an ONNX model leaves open;
                            several make several functions
  --const=NAME=FILE         an input of an ONNX model that always has this
                            value: .npy, or a tensor as .pb; check: without
                            =FILE that of --inputs
  --freeze                  weights become constants of the code: faster, and
                            nothing can replace them
  --winograd=WHEN           auto (default) or no: convolutions of 3x3 and 5x5
                            taps with fewer multiplications, which rounds
                            differently
  --function=NAME           infer (default), train_step, evaluate or initialize
  --threads=N               threads to use; 0 and otherwise one for each
                            processor
  --seconds=S               time to spend on measuring; 1 otherwise
  --json                    print one JSON object instead of a table
  --jobs=N                  kernels compiled at the same time; one for each
                            processor otherwise
END

prints overview.txt "$INGOT" help
prints overview.txt "$INGOT" --help
prints overview.txt "$INGOT" -h
prints build.txt "$INGOT" help build
prints build.txt "$INGOT" build --help
prints build.txt "$INGOT" build no-such-file.json -h
prints inspect.txt "$INGOT" help inspect
prints check.txt "$INGOT" help check
prints profile.txt "$INGOT" help profile

run "$INGOT" --version
is 'exit code of --version' $code 0
matches '--version' "$out" '^ingot [0-9]+\.[0-9]+\.[0-9]+ \(LLVM [0-9.]+\)$'

is 'help fits 80 columns' "$(sed 's/…/./g' build.txt inspect.txt check.txt profile.txt | grep -E '.{81}')" ''

run bash -c '"$1" help >/dev/full' - "$INGOT"
is 'help into a full disk' "$code $err" '1 standard output: cannot be written'
finish
