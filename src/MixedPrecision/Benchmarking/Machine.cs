using System.Globalization;
using System.Runtime.InteropServices;
using Microsoft.ML.OnnxRuntime;
using MixedPrecision.Caching;
using MixedPrecision.Execution;
using MixedPrecision.Policies;

namespace MixedPrecision.Benchmarking;

/// <summary>What a timing depends on besides the model: it is part of every timing's key, and stands in the manifest.</summary>
/// <param name="Processor">The processor's model.</param>
/// <param name="InstructionSets">The instruction sets that kernels choose by, sorted.</param>
/// <param name="Cores">Logical processors that this process may use.</param>
/// <param name="OperatingSystem">Family of the operating system: linux, windows or macos.</param>
/// <param name="Architecture">Architecture of the process, e.g. x64.</param>
/// <param name="Runtime">Version of ONNX Runtime.</param>
/// <param name="Provider">Execution provider.</param>
/// <param name="Threads">Threads within an operator; 0: ONNX Runtime's own choice.</param>
/// <param name="Options">What the app sets of a session besides; null: nothing.</param>
public sealed record Machine(
    string Processor,
    IReadOnlyList<string> InstructionSets,
    int Cores,
    string OperatingSystem,
    string Architecture,
    string Runtime,
    string Provider,
    int Threads,
    IReadOnlyList<SessionOption>? Options = null)
{
    /// <summary>
    /// Whether kernels add products of unsigned and signed 8-bit integers exactly. x64 processors do with VNNI or AMX; without, they add two of them in 16 bits, which may saturate.
    /// </summary>
    public bool AddsExactly() => Architecture is not ("x64" or "x86") || InstructionSets.Any(set => set is "avx_vnni" or "avx512_vnni" or "amx_int8");

    /// <summary>Whether ONNX Runtime has the same kernels on another machine: of the same version, architecture and instruction sets.</summary>
    public bool HasKernelsOf(Machine other) => Architecture == other.Architecture && Runtime == other.Runtime && InstructionSets.SequenceEqual(other.InstructionSets);

    /// <summary>Whether a runtime identifier names the system and the architecture of this machine, as far as it names any: <c>linux-musl-x64</c> does on Linux, and <c>any</c> everywhere.</summary>
    public bool Fits(string runtimeIdentifier)
    {
        string[] parts = runtimeIdentifier.ToLowerInvariant().Split('-');
        string system = string.Concat(parts[0].TakeWhile(char.IsAsciiLetter));
        return (system is "any" or "unix" || (system switch { "win" => "windows", "osx" => "macos", _ => system }) == OperatingSystem)
            && (parts.Length == 1 || parts.Skip(1).Contains(Architecture));
    }

    /// <summary>This machine, with the provider and the threads that the app uses.</summary>
    public static Machine Detect(RuntimePolicy runtime)
    {
        (string processor, IReadOnlyList<string> instructionSets) = Benchmarking.Processor.Detect();
        return new Machine(
            processor,
            instructionSets,
            Environment.ProcessorCount,
            System.OperatingSystem.IsWindows() ? "windows" : System.OperatingSystem.IsMacOS() ? "macos" : "linux",
            RuntimeInformation.ProcessArchitecture.ToString().ToLowerInvariant(),
            OrtEnv.Instance().GetVersionString(),
            runtime.Provider,
            runtime.Threads);
    }

    /// <summary>A session as the app has it.</summary>
    public SessionSettings Session() => SessionSettings.Timing(Threads, Options);

    /// <summary>The parts of a timing's key that the machine is; options only where there are some.</summary>
    public CacheKey Key() => Options is null ? Bare() : Bare().With("options", string.Join(' ', Options.Select(o => o.ToCode())));

    private CacheKey Bare() => CacheKey.Of(
        ("processor", Processor),
        ("instruction sets", string.Join(' ', InstructionSets)),
        ("cores", Cores.ToString(CultureInfo.InvariantCulture)),
        ("operating system", OperatingSystem),
        ("architecture", Architecture),
        ("runtime", Runtime),
        ("provider", Provider),
        ("threads", Threads.ToString(CultureInfo.InvariantCulture)));
}
