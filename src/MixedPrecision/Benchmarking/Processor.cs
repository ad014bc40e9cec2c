using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.Arm;
using System.Runtime.Intrinsics.X86;
using System.Text;

namespace MixedPrecision.Benchmarking;

/// <summary>The processor's model and the instruction sets that ONNX Runtime's kernels choose by.</summary>
internal static partial class Processor
{
    private const string Unknown = "unknown processor";

    /// <summary>Of leaf 7, sub-leaf 0, in ECX (Intel's manual, volume 2, CPUID).</summary>
    private const int Avx512VnniBit = 1 << 11;

    /// <summary>Flags of /proc/cpuinfo that kernels for matrix products and convolutions are chosen by (x64, then arm64).</summary>
    private static readonly HashSet<string> FlagsOfInterest =
    [
        "sse4_1", "avx", "avx2", "fma", "f16c", "avx_vnni", "avx_vnni_int8", "avx512f", "avx512bw", "avx512vl", "avx512_vnni",
        "avx512_bf16", "avx512_fp16", "amx_tile", "amx_int8", "amx_bf16",
        "asimd", "fphp", "asimdhp", "asimddp", "i8mm", "bf16", "sve", "sve2", "svei8mm", "sme", "sme2",
    ];

    public static (string Model, IReadOnlyList<string> InstructionSets) Detect()
    {
        if (OperatingSystem.IsLinux())
        {
            return Read(File.ReadAllText("/proc/cpuinfo"));
        }

        string? model = OperatingSystem.IsMacOS() ? BrandOfMac() : Environment.GetEnvironmentVariable("PROCESSOR_IDENTIFIER");
        return (model is null or "" ? Unknown : model, [.. FromIntrinsics().Order(StringComparer.Ordinal)]);
    }

    /// <summary>Reads the text of Linux's /proc/cpuinfo: its first processor. Arm gives numbers in place of a model's name.</summary>
    public static (string Model, IReadOnlyList<string> InstructionSets) Read(string cpuinfo)
    {
        var fields = new Dictionary<string, string>();
        foreach (string line in cpuinfo.Split('\n'))
        {
            int colon = line.IndexOf(':', StringComparison.Ordinal);
            if (colon > 0)
            {
                fields.TryAdd(line[..colon].Trim(), line[(colon + 1)..].Trim());
            }
        }

        string model = fields.TryGetValue("model name", out string? name) && name.Length > 0 ? name
            : fields.TryGetValue("CPU part", out string? part) ? $"implementer {fields.GetValueOrDefault("CPU implementer")} part {part} variant {fields.GetValueOrDefault("CPU variant")}"
            : Unknown;
        string flags = fields.GetValueOrDefault("flags") ?? fields.GetValueOrDefault("Features") ?? "";
        return (model, [.. flags.Split(' ').Where(FlagsOfInterest.Contains).Distinct().Order(StringComparer.Ordinal)]);
    }

    /// <summary>What the .NET runtime knows of the processor, by the same names.</summary>
    private static IEnumerable<string> FromIntrinsics()
    {
        (string Name, bool Supported)[] sets =
        [
            ("sse4_1", Sse41.IsSupported), ("avx", Avx.IsSupported), ("avx2", Avx2.IsSupported), ("fma", Fma.IsSupported),
            ("avx_vnni", AvxVnni.IsSupported), ("avx512f", Avx512F.IsSupported), ("avx512bw", Avx512BW.IsSupported),
            ("avx512_vnni", Avx512F.IsSupported && (X86Base.CpuId(7, 0).Ecx & Avx512VnniBit) != 0),
            ("asimd", AdvSimd.IsSupported), ("asimddp", Dp.IsSupported),
        ];
        return sets.Where(s => s.Supported).Select(s => s.Name);
    }

    private static string? BrandOfMac()
    {
        byte[] text = new byte[256];
        nint length = text.Length;
        return SystemControl("machdep.cpu.brand_string", text, ref length, 0, 0) == 0
            ? Encoding.UTF8.GetString(text, 0, (int)length).TrimEnd('\0')
            : null;
    }

    [LibraryImport("libSystem", EntryPoint = "sysctlbyname", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int SystemControl(string name, [Out] byte[] value, ref nint length, nint newValue, nint newLength);
}
